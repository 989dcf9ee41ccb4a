//! The models a history can be checked against.

use std::{fmt, str::FromStr};

/// What the system promises to be, key by key.
///
/// Every key starts absent (null). Values are compared as JSON; on a key that is appended to they are
/// compared as text, because a store of text cannot tell `17` from `"17"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// `read` and `write`; `cas` is understood as well.
    Register,
    /// `read`, `write` and `cas`.
    CasRegister,
    /// `get`, `put`, `delete`, `cas`, `append`, and the names of a register.
    Kv,
}

impl Model {
    /// Every model, in the order in which help texts list them.
    pub const ALL: [Self; 3] = [Self::Register, Self::CasRegister, Self::Kv];

    /// Its name in the header of a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Kv => "kv",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no model's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no model \"{0}\"; models are register, cas-register and kv")]
pub struct UnknownModel(String);

impl FromStr for Model {
    type Err = UnknownModel;

    fn from_str(name: &str) -> Result<Self, UnknownModel> {
        Self::ALL.into_iter().find(|model| model.name() == name).ok_or_else(|| UnknownModel(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_found_by_its_name_and_named_in_the_error() {
        let error = "cas".parse::<Model>().unwrap_err().to_string();
        for model in Model::ALL {
            assert_eq!(model.to_string().parse(), Ok(model));
            assert!(error.contains(model.name()), "{error}");
        }
    }
}
