//! The exporter's binary: takes the command line, does what it says, and maps the outcome to an exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::parse_or_explain() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match arguments.run() {
        Ok(code) => {
            cli::finish_log(None);
            code
        }
        Err(error) => {
            cli::finish_log(Some(&format!("{}: {error:#}", env!("CARGO_PKG_NAME"))));
            arguments.exit_code_of_errors()
        }
    }
}
