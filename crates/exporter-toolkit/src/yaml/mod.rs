//! Reads configuration files in YAML, and says all that is wrong with one, with the way to each value.
//!
//! [`read`] makes a tree of the text. A [`Node`] is a value of the tree and the way to it, from which everything typed is
//! read. What is wrong is noted in [`Notes`], which become [`Faults`]. No message repeats what may be a secret.

mod fault;
mod node;
mod reader;

pub use fault::{Fault, Faults, Notes, Refused};
pub use node::{Node, path_to, quoted, unknown, unknown_value};
pub use reader::{plain_scalar, read};

/// How much of a configuration file is read.
pub const MAX_BYTES: u64 = 1 << 20;

/// How deep values may be nested.
pub const MAX_DEPTH: usize = 16;

/// `content` as the text that a configuration is.
///
/// # Errors
/// It is not UTF-8.
pub fn text(content: Vec<u8>) -> Result<String, Faults> {
    String::from_utf8(content).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        Faults::of_file(format!("line {line}: not UTF-8: save the file as UTF-8"))
    })
}

/// A yes or no in any spelling of YAML 1.1 and 1.2: other programs write and read these files too.
///
/// # Errors
/// It is neither: what was expected.
pub fn yes(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Ok(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Ok(false),
        _ => Err("neither true nor false: expected one of them"),
    }
}
