//! `millwright`: the whole bundle on one machine.

/// A message makes thousands of small objects: the system's own allocator takes a tenth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    millwright_local::cli::main()
}
