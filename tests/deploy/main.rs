//! What stands in deploy/, judged by the tools that read it in the field.

mod kubernetes;
