//! How a family is declared.

/// Declares an enum of families, each with its kind, name and HELP text, in the order in which they are exposed.
macro_rules! families {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $families:ident {
            $($family:ident: $kind:ident $name:literal $help:literal,)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $families {
            $($family,)*
        }

        impl $families {
            /// In the order in which they are exposed, which is that of their numbers.
            pub(super) const ALL: [Self; [$(stringify!($family),)*].len()] = [$(Self::$family,)*];

            pub(super) fn family(self) -> &'static exporter_toolkit::exposition::Family {
                use exporter_toolkit::exposition::{Family, Kind};
                match self {
                    $(Self::$family => &Family { name: $name, help: $help, kind: Kind::$kind },)*
                }
            }
        }
    };
}

pub(super) use families;
