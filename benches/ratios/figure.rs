//! A measured figure beside its target, and how all of them are told.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

/// What a figure is to be.
#[derive(Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// It is told and not judged.
    Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Met,
    Missed,
    Told,
}

pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    pub target: Target,
    /// The absolute figures behind it.
    pub detail: String,
}

impl Figure {
    pub fn verdict(&self) -> Verdict {
        match self.target {
            // A figure that could not be had (NaN) meets nothing.
            Target::AtMost(most) if self.value <= most => Verdict::Met,
            Target::AtLeast(least) if self.value >= least => Verdict::Met,
            Target::AtMost(_) | Target::AtLeast(_) => Verdict::Missed,
            Target::Told => Verdict::Told,
        }
    }

    fn wanted(&self) -> String {
        match self.target {
            Target::AtMost(most) => format!("at most {most}"),
            Target::AtLeast(least) => format!("at least {least}"),
            Target::Told => String::new(),
        }
    }

    fn said(&self) -> &'static str {
        match self.verdict() {
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::Told => "",
        }
    }
}

pub fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["what", "figure", "target", "", "behind it"]);
    for figure in figures {
        let value = format!("{:.2} {}", figure.value, figure.unit).trim_end().to_owned();
        table.add_row([&figure.name, &value, &figure.wanted(), figure.said(), &figure.detail]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

pub fn json(figures: &[Figure], surroundings: &str) -> Value {
    let figures: Vec<Value> = figures
        .iter()
        .map(|figure| {
            json!({
                "name": figure.name, "value": figure.value, "unit": figure.unit, "target": figure.wanted(),
                "met": match figure.verdict() { Verdict::Told => None, verdict => Some(verdict == Verdict::Met) },
                "detail": figure.detail,
            })
        })
        .collect();
    json!({ "surroundings": surroundings, "figures": figures })
}
