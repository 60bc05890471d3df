//! Declares the fields of a table. A field is declared once: its name, its type, how it is read, and its default.

use super::{Node, Notes, Refused};

/// A field of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it accepts besides a value of its type.
    pub also: Option<Also>,
}

/// What a field accepts besides a value of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Also {
    /// `null`, as a value. In all other fields it means that the field is not given.
    Null,
    /// An empty text, which means that the field is not given.
    Blank,
    /// All items of its list in one text, separated by commas. Only environment variables are read like this.
    Commas,
}

/// What the configuration has for a field: nothing, something that was refused, or a value.
#[derive(Clone, Debug)]
pub struct Given<T>(Option<Result<T, Refused>>);

/// The fields of a table, which [`fields!`] declares.
///
/// [`fields!`]: super::fields
pub trait Fields: Default {
    /// All fields, in the order in which errors list them.
    fn fields() -> Vec<Field>;

    /// Reads `node` as the field `name`. Returns whether there is such a field.
    fn take(&mut self, name: &str, node: &Node<'_>, notes: &mut Notes) -> bool;

    /// Whether any field is given.
    fn is_any_given(&self) -> bool;

    /// Notes each required field that `table` does not have.
    fn require(&mut self, table: &Node<'_>, notes: &mut Notes);

    /// These fields, and those of `defaults` for fields that are not given.
    #[must_use]
    fn or(self, defaults: &Self) -> Self;

    /// The names of all fields.
    #[must_use]
    fn names() -> Vec<&'static str> {
        Self::fields().iter().map(|field| field.name).collect()
    }

    /// Reads a table. Faults of its fields are noted, but are no error yet.
    ///
    /// # Errors
    /// It is not a table.
    fn read(table: &Node<'_>, notes: &mut Notes) -> Result<Self, Refused> {
        let mut fields = Self::default();
        table.each_field(&Self::names(), notes, |name, node, notes| fields.take(name, node, notes))?;
        fields.require(table, notes);
        Ok(fields)
    }
}

/// Declares the fields of a table: a struct that implements [`Fields`](crate::yaml::Fields).
///
/// A declaration has the field's name and type, the function that reads it, and what applies if it is not given:
///
/// - `default` and a value,
/// - `required` and a hint for the error,
/// - or `optional`.
///
/// For each field the struct has a method of the same name, which returns the value: an `Option` if the field is `optional`.
/// After the type, `| null`, `| blank` or `| commas` adds what the field [also](crate::yaml::Also) accepts. A last line such as
/// `..tls: TlsFields;` adds the fields of another declaration.
///
/// ```
/// use std::path::{Path, PathBuf};
/// use exporter_toolkit::yaml::{self, Fields, Node, Notes, fields, scalar};
///
/// fields! {
///     struct ServerFields {
///         address: String, read Node::parse, required "add one, such as address: localhost:80";
///         http2: bool, read scalar(yaml::yes), default true;
///         log: PathBuf, read Node::file_path, optional;
///     }
/// }
///
/// let tree = yaml::read("http3: true\nlog: a.log", "address").unwrap();
/// let mut notes = Notes::default();
/// let server = ServerFields::read(&Node::root(&tree), &mut notes).unwrap();
/// assert_eq!(server.http2(), Ok(true));
/// assert_eq!(server.log(), Ok(Some("a.log".into())));
/// assert!(server.address().is_err());
/// assert_eq!(
///     notes.conclude(Ok(())).unwrap_err().to_string(),
///     "http3: unknown field (did you mean http2?): expected address, http2, log\n\
///      no address: add one, such as address: localhost:80",
/// );
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    (
        $(#[$meta:meta])*
        $vis:vis struct $table:ident {
            $($name:ident: $type:ty $(| $also:ident)?, read $read:expr, $kind:ident $($value:expr)?;)*
            $(..$part:ident: $part_type:ty;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default)]
        #[allow(clippy::struct_field_names, reason = "the names are those of the configuration")]
        $vis struct $table {
            $($name: $crate::yaml::Given<$type>,)*
            $($part: $part_type,)*
        }

        impl $crate::yaml::Fields for $table {
            fn fields() -> Vec<$crate::yaml::Field> {
                let own = [$($crate::yaml::Field {
                    name: stringify!($name),
                    also: $crate::__fields!(@also $($also)?),
                }),*];
                own.into_iter()$(.chain(<$part_type as $crate::yaml::Fields>::fields()))*.collect()
            }

            fn take(
                &mut self,
                name: &str,
                node: &$crate::yaml::Node<'_>,
                notes: &mut $crate::yaml::Notes,
            ) -> bool {
                $(
                    if name == stringify!($name) {
                        self.$name.read($crate::__fields!(@also $($also)?), node, notes, $read);
                        return true;
                    }
                )*
                false $(|| $crate::yaml::Fields::take(&mut self.$part, name, node, notes))*
            }

            fn is_any_given(&self) -> bool {
                false $(|| self.$name.is_given())* $(|| $crate::yaml::Fields::is_any_given(&self.$part))*
            }

            fn require(&mut self, table: &$crate::yaml::Node<'_>, notes: &mut $crate::yaml::Notes) {
                $(self.$name.require(stringify!($name), $crate::__fields!(@hint $kind $($value)?), table, notes);)*
                $($crate::yaml::Fields::require(&mut self.$part, table, notes);)*
            }

            fn or(self, defaults: &Self) -> Self {
                Self {
                    $($name: self.$name.or(&defaults.$name),)*
                    $($part: $crate::yaml::Fields::or(self.$part, &defaults.$part),)*
                }
            }
        }

        impl $table {
            $($crate::__fields!(@value $vis $name: $type, $kind $($value)?);)*
        }
    };

    (@also) => { None };
    (@also null) => { Some($crate::yaml::Also::Null) };
    (@also blank) => { Some($crate::yaml::Also::Blank) };
    (@also commas) => { Some($crate::yaml::Also::Commas) };

    (@hint required $hint:expr) => { Some($hint) };
    (@hint default $value:expr) => { None };
    (@hint optional) => { None };

    (@value $vis:vis $name:ident: $type:ty, required $hint:expr) => {
        $vis fn $name(&self) -> Result<$type, $crate::yaml::Refused> {
            self.$name.required()
        }
    };
    (@value $vis:vis $name:ident: $type:ty, default $value:expr) => {
        $vis fn $name(&self) -> Result<$type, $crate::yaml::Refused> {
            self.$name.or_default(|| $value)
        }
    };
    (@value $vis:vis $name:ident: $type:ty, optional) => {
        $vis fn $name(&self) -> Result<Option<$type>, $crate::yaml::Refused> {
            self.$name.optional()
        }
    };
}

// === impl Also ===

impl Also {
    /// Whether a field with `node` is given.
    fn is_given(also: Option<Self>, node: &Node<'_>) -> bool {
        match also {
            Some(Self::Null) => true,
            Some(Self::Blank) => !node.is_null() && !node.is_blank(),
            Some(Self::Commas) | None => !node.is_null(),
        }
    }
}

// === impl Given ===

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone> Given<T> {
    /// Whether the configuration has the field, even if its value was refused.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    #[doc(hidden)]
    pub fn read<'a>(
        &mut self,
        also: Option<Also>,
        node: &Node<'a>,
        notes: &mut Notes,
        read: impl FnOnce(&Node<'a>, &mut Notes) -> Result<T, Refused>,
    ) {
        if Also::is_given(also, node) {
            self.0 = Some(read(node, notes));
        }
    }

    #[doc(hidden)]
    pub fn require(&mut self, name: &str, hint: Option<&str>, table: &Node<'_>, notes: &mut Notes) {
        if let (None, Some(hint)) = (&self.0, hint) {
            self.0 = Some(Err(table.refuse(notes, format_args!("no {name}: {hint}"))));
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn or(self, default: &Self) -> Self {
        Self(self.0.or_else(|| default.0.clone()))
    }

    #[doc(hidden)]
    pub fn required(&self) -> Result<T, Refused> {
        self.0.clone().unwrap_or(Err(Refused))
    }

    #[doc(hidden)]
    pub fn or_default(&self, default: impl FnOnce() -> T) -> Result<T, Refused> {
        self.0.clone().unwrap_or_else(|| Ok(default()))
    }

    #[doc(hidden)]
    pub fn optional(&self) -> Result<Option<T>, Refused> {
        self.0.clone().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::yaml::{self, fields, scalar};

    fields! {
        struct TimeFields {
            interval: String, read Node::parse, default "5m".to_owned();
            grace: Option<u8> | null, read null_or_number, default Some(7);
        }
    }

    fields! {
        struct JobFields {
            name: String, read Node::parse, required "add one";
            note: String | blank, read Node::parse, optional;
            users: String | commas, read Node::parse, optional;
            retry: bool, read scalar(yaml::yes), default false;
            ..times: TimeFields;
        }
    }

    fn null_or_number(node: &Node<'_>, notes: &mut Notes) -> Result<Option<u8>, Refused> {
        if node.is_null() { Ok(None) } else { node.parse(notes).map(Some) }
    }

    /// The fields of a table, and what is wrong with it.
    fn read(text: &str) -> (JobFields, String) {
        let tree = yaml::read(text, "name").unwrap();
        let mut notes = Notes::default();
        let fields = JobFields::read(&Node::root_in(&tree, Path::new("")), &mut notes).unwrap();
        (fields, notes.conclude(Ok(())).map_or_else(|faults| faults.to_string(), |()| String::new()))
    }

    #[test]
    fn each_field_has_its_own_value() {
        let (fields, faults) = read("grace: 1\nusers: u\nnote: t\nretry: yes\ninterval: 1h\nname: n");
        assert_eq!(faults, "");
        assert_eq!(fields.name(), Ok("n".to_owned()));
        assert_eq!(fields.note(), Ok(Some("t".to_owned())));
        assert_eq!(fields.users(), Ok(Some("u".to_owned())));
        assert_eq!(fields.retry(), Ok(true));
        assert_eq!(fields.times.interval(), Ok("1h".to_owned()));
        assert_eq!(fields.times.grace(), Ok(Some(1)));
    }

    #[test]
    fn fields_that_are_not_given_have_their_defaults() {
        let (fields, faults) = read("note: ''\nretry: null\nusers: ~\ninterval:\nname: n");
        assert_eq!(faults, "");
        assert_eq!(fields.note(), Ok(None));
        assert_eq!(fields.users(), Ok(None));
        assert_eq!(fields.retry(), Ok(false));
        assert_eq!(fields.times.interval(), Ok("5m".to_owned()));
        assert_eq!(fields.times.grace(), Ok(Some(7)));
        assert!(fields.name.is_given() && !fields.note.is_given() && !fields.times.is_any_given());
    }

    #[test]
    fn null_is_a_value_only_where_it_is_declared() {
        let (fields, _) = read("grace: null");
        assert_eq!(fields.times.grace(), Ok(None));
        assert!(fields.is_any_given());
    }

    #[test]
    fn unknown_wrong_and_missing_fields_are_noted() {
        let (fields, faults) = read("retry: maybe\nnotes: n");
        assert_eq!(
            faults,
            "retry: \"maybe\" is neither true nor false: expected one of them\n\
             notes: unknown field (did you mean note?): expected name, note, users, retry, interval, grace\n\
             no name: add one",
        );
        assert_eq!(fields.retry(), Err(Refused));
        assert_eq!(fields.name(), Err(Refused));
    }

    #[test]
    fn given_fields_take_precedence_over_defaults() {
        let (own, _) = read("interval: 1h\ngrace: null");
        let (defaults, _) = read("interval: 2h\ngrace: 3\nname: n\nretry: maybe");
        let both = own.or(&defaults);
        assert_eq!(both.times.interval(), Ok("1h".to_owned()));
        assert_eq!(both.times.grace(), Ok(None));
        assert_eq!(both.retry(), Err(Refused));
    }

    #[test]
    fn commas_are_part_of_the_declaration() {
        let also = |name: &str| JobFields::fields().iter().find(|field| field.name == name).unwrap().also;
        assert_eq!(also("users"), Some(Also::Commas));
        assert_eq!(also("name"), None);
    }
}
