//! `millwright`: the whole bundle on one machine.

fn main() -> std::process::ExitCode {
    millwright_local::cli::main()
}
