//! The model of a disk in memory, `[cluster.disk-model]`: the data that a power loss may take.
//!
//! The default is the behaviour that ext4, xfs and btrfs have in common; the strict values are POSIX to the
//! letter. README.md of this crate names the file systems that behave like each value.

use jiff::fmt::friendly::{Designator, Spacing, SpanParser, SpanPrinter};
use schemars::JsonSchema;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// The atomic unit of disk writes, never torn with `tear = "sector"`.
pub(crate) const SECTOR: usize = 512;
/// The unit in which a journaling file system extends a file.
pub(crate) const BLOCK: usize = 4096;

/// The data that a power loss may take from a program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DiskModel {
    /// When names and lengths are durable.
    pub folders: Folders,
    /// Longest time that written data may stay without being durable.
    pub write_back: WriteBack,
    /// Positions at which a write can be torn.
    pub tear: Tear,
}

/// When names and lengths are durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Folders {
    /// A journal keeps their order: any sync makes all earlier changes of names and lengths durable.
    #[default]
    Ordered,
    /// A sync of the folder itself makes its names durable, and no other sync does.
    Strict,
}

/// Longest time that written data may stay without being durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteBack {
    /// Older data is durable without a sync.
    After(Duration),
    /// Only a sync makes data durable.
    Never,
}

/// Positions at which a write can be torn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tear {
    /// Between sectors of 512 bytes.
    #[default]
    Sector,
    /// At any byte.
    Byte,
}

impl DiskModel {
    /// POSIX to the letter.
    pub const STRICT: Self =
        Self { folders: Folders::Strict, write_back: WriteBack::Never, tear: Tear::Byte };
}

impl Default for WriteBack {
    fn default() -> Self {
        Self::After(Duration::from_secs(30))
    }
}

impl fmt::Display for WriteBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printer = SpanPrinter::new().designator(Designator::Compact).spacing(Spacing::None);
        match self {
            Self::After(age) => f.write_str(&printer.unsigned_duration_to_string(age)),
            Self::Never => f.write_str("never"),
        }
    }
}

impl Serialize for WriteBack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WriteBack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self::Never);
        }
        let age = SpanParser::new().parse_unsigned_duration(&text).map_err(|_| {
            de::Error::custom(format!("\"{text}\" should be a time such as \"30s\", or \"never\""))
        })?;
        if age.is_zero() {
            let reason =
                "write-back must be greater than 0, or a power loss could take no data; \"never\" is allowed";
            return Err(de::Error::custom(reason));
        }
        Ok(Self::After(age))
    }
}

impl fmt::Display for DiskModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folders = match self.folders {
            Folders::Ordered => "ordered",
            Folders::Strict => "strict",
        };
        let tear = match self.tear {
            Tear::Sector => "sector",
            Tear::Byte => "byte",
        };
        write!(f, "folders {folders}, write-back {}, tear {tear}", self.write_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn model_reads_and_writes_its_words() {
        let words = json!({"folders": "strict", "write-back": "1m 30s", "tear": "byte"});
        let model: DiskModel = serde_json::from_value(words).unwrap();
        assert_eq!(model.write_back, WriteBack::After(Duration::from_secs(90)));
        assert_eq!(model.to_string(), "folders strict, write-back 1m30s, tear byte");
        let again: DiskModel = serde_json::from_value(serde_json::to_value(model).unwrap()).unwrap();
        assert_eq!(again, model);
        let default: DiskModel = serde_json::from_value(json!({})).unwrap();
        assert_eq!(default.to_string(), "folders ordered, write-back 30s, tear sector");
        assert_eq!(DiskModel::STRICT.to_string(), "folders strict, write-back never, tear byte");
    }

    #[test]
    fn impossible_write_back_is_refused() {
        for (age, says) in [("0s", "greater than 0"), ("-1s", "such as"), ("soon", "such as")] {
            let read = serde_json::from_value::<DiskModel>(json!({"write-back": age}));
            let error = read.unwrap_err().to_string();
            assert!(error.contains(says), "{age}: {error}");
        }
    }
}
