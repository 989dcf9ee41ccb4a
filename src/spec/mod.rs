//! Specs: TOML experiments, parsed with their overrides; a spec that cannot run is refused at a line and column.

mod document;
pub(crate) mod explain;
pub(crate) mod hosts;
pub(crate) mod keys;
pub(crate) mod known;
pub(crate) mod life;
pub(crate) mod members;
mod merged;
mod overrides;
mod path;
pub(crate) mod promise;
pub(crate) mod sections;
pub(crate) mod source;
pub(crate) mod system;
mod validate;

pub(crate) use document::Document;
pub(crate) use sections::Spec;

use crate::failure::Failure;
use merged::Merged;
use overrides::Override;
use path::KeyPath;

/// The name of the only experiment of a spec without variants.
pub(crate) const ONLY_VARIANT: &str = "main";

/// A spec that is fit to run.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The spec with the overrides of the command line.
    pub spec: Spec,
    /// Its text with those overrides.
    pub text: String,
    /// What is run, one after another: the variants, or the spec itself.
    pub experiments: Vec<Experiment>,
}

/// A spec with the overrides of one variant, and where its values came from.
#[derive(Debug, Clone)]
pub(crate) struct Experiment {
    /// Name of the variant.
    pub variant: String,
    /// What is run.
    pub spec: Spec,
    merged: Merged,
}

/// What the command line asks of a spec.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes<'a> {
    /// Values to set, as `key=value`.
    pub sets: &'a [String],
    /// The variants to run; all where it is empty.
    pub only: &'a [String],
    /// A key and its value at one point of a sweep.
    pub point: Option<(&'a str, &'a str)>,
    /// Whether it is simulated, so that this machine does not matter.
    pub simulated: bool,
}

/// Reads a spec and everything that is set on top of it.
///
/// # Errors
/// The first thing that is wrong, with its line and a remedy; exit code 2.
pub(crate) fn load(document: Document, wishes: &Wishes<'_>) -> Result<Loaded, Failure> {
    let mut overrides = wishes
        .sets
        .iter()
        .map(|argument| {
            Override::parse(argument).map_err(|reason| Failure::usage(format!("--set {argument}"), reason))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if let Some((key, value)) = wishes.point {
        let location = format!("sweep over {key}={value}");
        overrides.push(Override::of_axis(key, value).map_err(|reason| Failure::usage(location, reason))?);
    }
    let base = Merged::parse(document)?.with(overrides)?;
    let spec = base.read()?;
    validate::names(&base, &spec)?;
    let experiments = if spec.variants.is_empty() {
        vec![Experiment { variant: ONLY_VARIANT.to_owned(), spec: spec.clone(), merged: base.clone() }]
    } else {
        refuse_lost_overrides(&base, &spec)?;
        (0..spec.variants.len()).map(|index| variant(&base, &spec, index)).collect::<Result<_, _>>()?
    };
    let experiments = chosen(experiments, wishes.only)?;
    let foreign = experiments.iter().any(|one| !one.spec.cluster.system.is_own());
    for experiment in &experiments {
        validate::experiment(experiment, foreign, wishes.simulated)?;
    }
    Ok(Loaded { text: base.text(), spec, experiments })
}

/// The variants that were asked for.
fn chosen(experiments: Vec<Experiment>, only: &[String]) -> Result<Vec<Experiment>, Failure> {
    if only.is_empty() {
        return Ok(experiments);
    }
    let names: Vec<&str> = experiments.iter().map(|one| one.variant.as_str()).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        let what = format!("the spec has no variant \"{unknown}\"");
        return Err(Failure::usage(format!("--only {}", only.join(",")), what)
            .help(format!("its variants are {}", names.join(", "))));
    }
    Ok(experiments.into_iter().filter(|one| only.contains(&one.variant)).collect())
}

fn variant(base: &Merged, spec: &Spec, index: usize) -> Result<Experiment, Failure> {
    let variant = &spec.variants[index];
    let path = || KeyPath::default().key("variant").item(index).key("set");
    let set =
        Override::of_variant(index, &variant.set).map_err(|reason| base.complaint(&path(), reason, None))?;
    let merged = base.clone().with(set)?;
    Ok(Experiment { variant: variant.name.clone(), spec: merged.read()?, merged })
}

/// A `--set` that every variant sets again would silently do nothing.
fn refuse_lost_overrides(base: &Merged, spec: &Spec) -> Result<(), Failure> {
    for one in base.overrides() {
        let lost = spec.variants.iter().enumerate().all(|(index, variant)| {
            Override::of_variant(index, &variant.set)
                .is_ok_and(|set| set.iter().any(|other| other.path.holds(&one.path)))
        });
        if lost {
            return Err(Failure::usage(
                base.location_of_override(one).0,
                "this would have no effect, because every variant of the spec sets it again",
            )
            .help("change the variant itself, for example --set 'variant.1.set={…}', or copy the spec"));
        }
    }
    Ok(())
}

impl Experiment {
    /// The table of the spec with all overrides, without what the file of its system adds.
    pub(crate) fn table(&self) -> &toml::Table {
        self.merged.table()
    }

    /// Whether the spec itself has a section, and not only the file of its system.
    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.merged.has_section(name)
    }

    /// Whether the spec itself has a key of `[cluster]`, and not only the file of its system.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.merged.has_key(key)
    }

    /// A complaint about the value at a dotted path, with the line it came from.
    pub(crate) fn complaint(&self, dotted: &str, message: &str) -> Failure {
        let path = KeyPath::parse(dotted).unwrap_or_default();
        self.merged.explained(&path, explain::own(message))
    }

    /// The same, of a fault that cannot be planned.
    pub(crate) fn refusal(&self, dotted: &str, explained: explain::Explained) -> Failure {
        self.merged.explained(&KeyPath::parse(dotted).unwrap_or_default(), explained)
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Wishes, load};
    use crate::exit::Exit;
    use node::config::BackoffKind;

    const GOOD: &str = r#"name = "t"
[cluster]
nodes = 3
[cluster.paxos]
leadership = "compete"
[load]
rate = 50
[[fault]]
kind = "kill"
target = "n1"
at = "1s"
for = "1s"
[[variant]]
name = "off"
set = { "cluster.paxos.backoff.kind" = "none" }
[[variant]]
name = "on"
set.cluster.paxos.backoff.kind = "exponential"
"#;

    fn complaint(change: impl Fn(&str) -> String, sets: &[&str]) -> String {
        let document = Document { name: "t.toml".into(), text: change(GOOD) };
        let sets: Vec<String> = sets.iter().map(|&s| s.to_owned()).collect();
        let failure = load(document, &Wishes { sets: &sets, ..Wishes::default() })
            .expect_err("this spec must be refused");
        assert_eq!(failure.exit, Exit::Usage);
        format!("{}: {}\n{}", failure.location, failure.what, failure.help.unwrap_or_default())
    }

    #[test]
    fn variants_are_the_spec_with_their_own_values() {
        let loaded = load(Document { name: "t.toml".into(), text: GOOD.into() }, &Wishes::default()).unwrap();
        let kinds: Vec<_> = loaded
            .experiments
            .iter()
            .map(|e| (e.variant.as_str(), e.spec.cluster.paxos.backoff.kind))
            .collect();
        assert_eq!(kinds, [("off", BackoffKind::None), ("on", BackoffKind::Exponential)]);
        assert_eq!(loaded.text, GOOD);
    }

    #[test]
    fn only_chosen_variants_run_and_unknown_is_refused() {
        let document = || Document { name: "t.toml".into(), text: GOOD.into() };
        let only = |name: &str| {
            let only = [name.to_owned()];
            let loaded = load(document(), &Wishes { only: &only, ..Wishes::default() })?;
            Ok::<_, crate::failure::Failure>(loaded.experiments.into_iter().map(|one| one.variant).collect())
        };
        assert_eq!(only("on"), Ok(vec!["on".to_owned()]));
        assert!(only("none").unwrap_err().help.unwrap().contains("off, on"));
    }

    #[test]
    fn sweep_point_is_set_and_named_in_errors() {
        let at = |value| {
            let document = Document { name: "t.toml".into(), text: GOOD.into() };
            load(document, &Wishes { point: Some(("load.rate", value)), ..Wishes::default() })
        };
        assert_eq!(at("70").unwrap().experiments[1].spec.load.rate, Some(70.0));
        assert_eq!(at("-3").unwrap_err().location, "sweep over load.rate=-3");
    }

    #[test]
    fn misspelt_key_names_line_and_nearest_key() {
        let text = complaint(|good| good.replace("leadership", "leadershp"), &[]);
        assert!(text.starts_with("t.toml:5:1: unknown key \"leadershp\""), "{text}");
        assert!(text.contains("did you mean \"leadership\"?"), "{text}");
    }

    #[test]
    fn misspelt_key_is_found_in_second_list_entry() {
        let text = complaint(|good| good.replace("target", "taget"), &[]);
        assert!(text.starts_with("t.toml:10:1: unknown key \"taget\""), "{text}");
    }

    #[test]
    fn misspelt_word_names_line_and_nearest_word() {
        let text = complaint(|good| good.replace("\"compete\"", "\"competee\""), &[]);
        assert!(text.starts_with("t.toml:5:14: there is no \"competee\" here"), "{text}");
        let text = complaint(|good| good.replace("\"kill\"", "\"kil\""), &[]);
        assert!(text.starts_with("t.toml:9:8: "), "{text}");
        assert!(text.contains("did you mean `kill`"), "{text}");
    }

    #[test]
    fn a_bad_duration_gets_examples() {
        let text = complaint(|good| good.replace("at = \"1s\"", "at = \"soon\""), &[]);
        assert!(text.starts_with("t.toml:11:6: this is not a duration"), "{text}");
        assert!(text.contains("\"250ms\""), "{text}");
    }

    #[test]
    fn unknown_override_names_the_nearest_key() {
        let text = complaint(str::to_owned, &["cluster.paxos.windw=3"]);
        assert!(text.starts_with("--set cluster.paxos.windw=3: unknown key \"windw\""), "{text}");
        assert!(text.contains("did you mean \"window\"?"), "{text}");
    }

    #[test]
    fn unknown_flaw_names_the_nearest_flaw() {
        let text = complaint(str::to_owned, &["cluster.paxos.flaw=scout-ignores-pvalue"]);
        assert!(text.starts_with("--set cluster.paxos.flaw=scout-ignores-pvalue"), "{text}");
        assert!(text.contains("did you mean \"scout-ignores-pvalues\"?"), "{text}");
    }

    #[test]
    fn wrong_value_is_shown_in_its_variant() {
        let text = complaint(|good| good.replace("\"none\" }", "\"nome\" }"), &[]);
        assert!(text.starts_with("t.toml:15:"), "{text}");
        assert!(text.contains("did you mean \"none\"?"), "{text}");
        let text = complaint(|good| good.replace("= \"exponential\"", "= \"exponentiel\""), &[]);
        assert!(text.starts_with("t.toml:18:"), "{text}");
    }

    #[test]
    fn impossible_value_is_shown_with_its_line() {
        let text = complaint(|good| good.replace("rate = 50", "rate = -1"), &[]);
        assert!(text.starts_with("t.toml:7:8: "), "{text}");
        let text = complaint(|good| good.replace("nodes = 3", "nodes = 0"), &[]);
        assert!(text.starts_with("t.toml:3:9: "), "{text}");
    }

    #[test]
    fn an_impossible_target_is_shown_with_its_line() {
        let text = complaint(|good| good.replace("\"n1\"", "\"n7\""), &[]);
        assert!(text.starts_with("t.toml:10:10: "), "{text}");
    }

    #[test]
    fn an_override_that_every_variant_undoes_is_refused() {
        let text = complaint(str::to_owned, &["cluster.paxos.backoff.kind=aimd"]);
        assert!(text.contains("no effect"), "{text}");
    }

    #[test]
    fn text_that_is_not_toml_is_located() {
        let text = complaint(|good| good.replace("rate = 50", "rate = = 50"), &[]);
        assert!(text.starts_with("t.toml:7:"), "{text}");
    }
}
