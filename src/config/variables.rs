//! The environment variables `CAM_EXPORTER__…`, which override the file.
//!
//! `__` separates levels, and a number is an index in a list: `CAM_EXPORTER__ACCOUNTS__0__NAME=prod`. After the prefix, case
//! does not matter. A value is read as if it were in the file, without quotes. An empty one counts as not set, because
//! templates leave variables empty. `{}` is a table without fields. One variable can set a whole list whose declaration has
//! `| commas`.

use std::{collections::BTreeMap, fmt};

use ::config::{Map, Value, ValueKind};

use exporter_toolkit::yaml::{MAX_DEPTH, Notes, path_to, plain_scalar};

use super::schema;
use crate::environment::Environment;

const PREFIX: &str = "CAM_EXPORTER__";

struct Variable<'a> {
    name: &'a str,
    /// `None` if it is not UTF-8.
    value: Option<&'a str>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Place(usize),
    Field(String),
}

/// Sets the variables of `environment` in `tree`, and notes those that do not fit.
pub(super) fn merge_env(tree: &mut Value, environment: &Environment, notes: &mut Notes) {
    // In order: outer levels before inner ones, and the items of a list by index.
    let mut found: BTreeMap<Vec<Step>, Vec<Variable<'_>>> = BTreeMap::new();
    for (name, value) in environment.with_prefix(PREFIX) {
        let value = value.map(str::trim);
        if value != Some("") {
            let steps = name[PREFIX.len()..].split("__").map(Step::from).collect();
            found.entry(steps).or_default().push(Variable { name, value });
        }
    }
    for (steps, variables) in found {
        if let [variable] = variables.as_slice() {
            if let Err((path, problem)) = variable.merge_env(tree, &steps) {
                notes.add(path, format!("{problem} (from environment variable {})", variable.name));
            }
        } else {
            let mut names: Vec<&str> = variables.iter().map(|variable| variable.name).collect();
            names.sort_unstable();
            notes.add(path(&steps), format!("set by several environment variables: keep one of {}", names.join(", ")));
        }
    }
}

// === impl Variable ===

impl Variable<'_> {
    /// Sets the value at `steps`. An error has the path that fails, and why.
    fn merge_env(&self, tree: &mut Value, steps: &[Step]) -> Result<(), (String, String)> {
        if steps.len() > MAX_DEPTH {
            return Err((String::new(), format!("more than {MAX_DEPTH} levels: no field is that deep")));
        }
        let Some(value) = self.value else {
            return Err((path(steps), "not UTF-8: set it again, in UTF-8".to_owned()));
        };
        let mut here = tree;
        for (depth, step) in steps.iter().enumerate() {
            here = self.enter(here, step).map_err(|problem| (path(&steps[..depth]), problem))?;
        }
        let list = matches!(steps.last(), Some(Step::Field(name)) if schema::accepts_commas(name));
        *here = match value {
            "{}" => self.value(Map::<String, Value>::new()),
            text if list => {
                let items: Vec<Value> =
                    text.split(',').map(|item| self.value(plain_scalar(item.trim().to_owned()))).collect();
                self.value(items)
            }
            text => self.value(plain_scalar(text.to_owned())),
        };
        Ok(())
    }

    /// The value at `step` below `here`, which is created if there is none.
    fn enter<'a>(&self, here: &'a mut Value, step: &Step) -> Result<&'a mut Value, String> {
        if here.kind == ValueKind::Nil {
            *here = match step {
                Step::Field(_) => self.value(Map::<String, Value>::new()),
                Step::Place(_) => self.value(Vec::<Value>::new()),
            };
        }
        match (&mut here.kind, step) {
            (ValueKind::Table(table), Step::Field(name)) => {
                Ok(table.entry(name.clone()).or_insert_with(|| self.value(ValueKind::Nil)))
            }
            (ValueKind::Array(items), Step::Place(place)) => {
                let next = items.len();
                if *place == next {
                    items.push(self.value(ValueKind::Nil));
                }
                items.get_mut(*place).ok_or_else(|| format!("no place {step} in the list: the next one is {next}"))
            }
            (ValueKind::Array(_), Step::Field(_)) => {
                Err(format!("a list: expected the number of a place in it before __{step}"))
            }
            (ValueKind::Table(_), Step::Place(_)) => {
                Err(format!("not a list: expected a field's name instead of __{step}"))
            }
            _ => Err(format!("a single value, without anything below it such as __{step}")),
        }
    }

    fn value(&self, kind: impl Into<ValueKind>) -> Value {
        Value::new(Some(&self.name.to_owned()), kind)
    }
}

// === impl Step ===

impl From<&str> for Step {
    fn from(text: &str) -> Self {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number that is too large is past the end of any list.
            Self::Place(text.parse().unwrap_or(usize::MAX))
        } else {
            Self::Field(text.to_ascii_lowercase())
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => place.fmt(f),
            Self::Field(name) => f.write_str(&name.to_ascii_uppercase()),
        }
    }
}

fn path(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |path, step| match step {
        Step::Place(place) => format!("{path}[{place}]"),
        Step::Field(name) => path_to(&path, name),
    })
}
