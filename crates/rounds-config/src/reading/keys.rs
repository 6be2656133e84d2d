//! The macro that turns the declaration of a struct into a description, a reader and a schema.

/// Declares mappings with fixed keys; see the module's essay.
macro_rules! keys {
    ($(
        $(#[doc = $about:literal])+
        $(#[exactly_one($($alternative:ident),+; $none:expr, $message:literal, $help:literal)])*
        struct $Name:ident = $title:literal {
            $(
                $(#[doc = $doc:literal])+
                $need:ident $key:ident : $type:ty $(= $example:literal)?,
            )+
        }
    )+) => {
        /// All of them, for the test of their examples.
        #[cfg(test)]
        pub(crate) const ALL: &[&crate::reading::Keys] = &[$($Name::KEYS),+];

        $(
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub(crate) struct $Name {
            $(
                $(#[doc = $doc])+
                pub(crate) $key: crate::reading::Given<$type>,
            )+
        }

        impl $Name {
            pub(crate) const KEYS: &'static crate::reading::Keys = &crate::reading::Keys {
                name: $title,
                doc: &[$($about),+],
                all: &[$(
                    crate::reading::Key {
                        name: stringify!($key),
                        need: keys!(@need $need),
                        doc: &[$($doc),+],
                        example: keys!(@example $($example)?),
                        schema: <$type as crate::reading::Read>::schema,
                        #[cfg(test)]
                        accepts: |node, findings| <$type as crate::reading::Read>::read(node, findings).is_some(),
                    },
                )+],
                exactly_one: &[$(
                    crate::reading::ExactlyOne {
                        keys: &[$(stringify!($alternative)),+],
                        none: $none,
                        message: $message,
                        help: $help,
                    },
                )*],
            };
        }

        impl crate::reading::Read for $Name {
            fn read(node: &crate::tree::Node, findings: &mut crate::diagnostic::Findings<'_>) -> Option<Self> {
                let members = crate::reading::Members::open(Self::KEYS, node, findings)?;
                let read = Self {
                    $($key: members.take(stringify!($key), keys!(@need $need), findings),)+
                };
                members.close(findings);
                Some(read)
            }

            fn schema(definitions: &mut crate::reading::Definitions) -> serde_json::Value {
                Self::KEYS.reference(definitions)
            }
        }
        )+
    };
    (@need required) => { crate::reading::Need::Required };
    (@need optional) => { crate::reading::Need::Optional };
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
}
pub(crate) use keys;
