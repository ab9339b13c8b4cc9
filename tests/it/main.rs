//! The tests of the whole: one binary, so that the large dependencies are linked once.

mod access;
mod bad_input;
mod custom;
mod e2e_day;
mod e2e_kill;
mod e2e_large;
mod e2e_oauth;
mod e2e_tryton;
mod e2e_tryton_cycle;
mod e2e_tryton_postgresql;
mod faults;
mod functions;
mod in_process;
mod isolation;
mod life;
mod oauth_client;
mod openapi;
mod reading;
mod reading_histories;
mod sandbox_table;
mod scene;
mod status_histories;
mod sync_histories;
mod template;
mod tryton_rules;
mod writing;
