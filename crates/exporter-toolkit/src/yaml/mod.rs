//! Reads configuration files in YAML, and reports all faults at once, each with its path.
//!
//! [`read`] parses the text into a tree. A [`Node`] is a value of the tree and its path; it reads typed values. [`fields!`]
//! declares the fields of a table. Faults are noted in [`Notes`], which become [`Faults`]. No message repeats a value that may
//! be a secret.

mod fault;
mod field;
mod node;
mod reader;

pub use fault::{Fault, Faults, Notes, Refused};
pub use field::{Also, Field, Fields, Given};
pub use node::{Node, hidden, list, path_to, quoted, scalar, unknown, unknown_value};
pub use reader::{plain_scalar, read};

#[doc(inline)]
pub use crate::__fields as fields;

/// Maximum size of a configuration file.
pub const MAX_BYTES: u64 = 1 << 20;

/// Maximum depth of nested values.
pub const MAX_DEPTH: usize = 16;

/// The text of a configuration file.
///
/// # Errors
/// It is not UTF-8.
pub fn text(content: Vec<u8>) -> Result<String, Faults> {
    String::from_utf8(content).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        Faults::of_file(format!("line {line}: not UTF-8: save the file as UTF-8"))
    })
}

/// A boolean in any spelling of YAML 1.1 and 1.2, because other programs read and write these files too.
///
/// # Errors
/// It is not a boolean. The text says what was expected.
pub fn yes(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Ok(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => Ok(false),
        _ => Err("neither true nor false: expected one of them"),
    }
}
