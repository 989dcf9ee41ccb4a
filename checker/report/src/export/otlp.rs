//! OTLP as JSON: a trace for each variant, with a span for the variant, each phase, fault and operation.
//!
//! It is the message `ExportTraceServiceRequest` in the JSON mapping of the OTLP specification: names in lowerCamelCase,
//! identifiers in hexadecimal digits, 64-bit numbers as decimal strings, and enumerations as numbers.

use super::{Traced, outcome, phase};
use history::OperationRef;
use serde_json::{Value, json};
use std::io::{self, Write};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_CLIENT`.
const INTERNAL: u32 = 1;
const CLIENT: u32 = 3;
/// `STATUS_CODE_OK` and `STATUS_CODE_ERROR`.
const OK: u32 = 1;
const ERROR: u32 = 2;

pub(super) fn write(variants: &[Traced], out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{\"resourceSpans\":[")?;
    for (index, variant) in variants.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write_variant(variant, out)?;
    }
    out.write_all(b"]}\n")
}

/// One span after the other, so that a long history need not be in memory twice.
fn write_variant(variant: &Traced, out: &mut impl Write) -> io::Result<()> {
    let plan = &variant.observed.plan;
    let resource = json!({ "attributes": [
        text("service.name", "bench"),
        text("service.version", &variant.bench),
        text("bench.spec", &variant.spec),
        text("bench.variant", &plan.name),
        text("bench.system", &plan.system),
        number("bench.seed", variant.seed),
    ]});
    let scope = json!({ "name": "bench", "version": variant.bench });
    write!(out, "{{\"resource\":{resource},\"scopeSpans\":[{{\"scope\":{scope},\"spans\":[")?;
    let mut spans = Spans { variant, trace: trace_id(variant), next: 1, out };
    spans.write_all()?;
    out.write_all(b"]}]}")
}

struct Spans<'a, W: Write> {
    variant: &'a Traced,
    trace: String,
    next: u64,
    out: &'a mut W,
}

impl<W: Write> Spans<'_, W> {
    fn write_all(&mut self) -> io::Result<()> {
        let variant = self.variant;
        let observed = &variant.observed;
        let end = variant.end_ns();
        let root = self.add(None, &observed.plan.name, INTERNAL, (0, end), &[], None)?;
        for span in &observed.phases {
            self.add(Some(root), phase(span.phase), INTERNAL, (span.start, span.end), &[], None)?;
        }
        for (fault, start, end) in variant.faults() {
            let attributes = [
                text("bench.fault.kind", &fault.kind),
                text("bench.fault.nodes", &fault.nodes.join(",")),
                text("bench.fault.evidence", &fault.evidence.join("; ")),
            ];
            self.add(Some(root), &fault.label, INTERNAL, (start, end), &attributes, None)?;
        }
        for operation in &observed.operations {
            self.add_operation(root, &operation, end)?;
        }
        Ok(())
    }

    fn add_operation(&mut self, root: u64, operation: &OperationRef<'_>, end: u64) -> io::Result<()> {
        let span = (operation.invoked_ns, operation.completed_ns.unwrap_or(end));
        let (word, error) = outcome(operation.outcome);
        let mut attributes = vec![
            text("db.operation.name", operation.f),
            text("bench.outcome", word),
            text("bench.argument", &operation.argument.to_string()),
        ];
        if let history::OutcomeRef::Ok(value) = operation.outcome {
            attributes.push(text("bench.result", &value.to_string()));
        }
        attributes.extend(operation.key.map(|key| text("bench.key", key)));
        attributes.extend(operation.node.map(|node| text("server.address", node)));
        attributes.extend(operation.client.map(|client| number("bench.client", u64::from(client))));
        attributes.extend(error.map(|error| text("error.type", error)));
        let status = match word {
            "ok" => json!({ "code": OK }),
            _ => json!({ "code": ERROR, "message": error.unwrap_or(word) }),
        };
        let name =
            operation.key.map_or_else(|| operation.f.to_owned(), |key| format!("{} {key}", operation.f));
        self.add(Some(root), &name, CLIENT, span, &attributes, Some(&status))?;
        Ok(())
    }

    /// Writes a span, and gives its number.
    fn add(
        &mut self,
        parent: Option<u64>,
        name: &str,
        kind: u32,
        (start, end): (u64, u64),
        attributes: &[Value],
        status: Option<&Value>,
    ) -> io::Result<u64> {
        let number = self.next;
        self.next += 1;
        let time = |ns: u64| (self.variant.epoch_ns + ns).to_string();
        let mut span = json!({
            "traceId": self.trace,
            "spanId": format!("{number:016x}"),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": time(start),
            "endTimeUnixNano": time(end.max(start)),
            "attributes": attributes,
        });
        if let Some(parent) = parent {
            span["parentSpanId"] = json!(format!("{parent:016x}"));
        }
        if let Some(status) = status {
            span["status"] = status.clone();
        }
        if number > 1 {
            self.out.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut *self.out, &span).map_err(io::Error::from)?;
        Ok(number)
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// Sixteen bytes that are the same for the same variant of the same run, and hardly for another: FNV-1a over both.
fn trace_id(variant: &Traced) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let name = variant.observed.plan.name.as_bytes();
    let numbers = [variant.seed.to_be_bytes(), variant.epoch_ns.to_be_bytes()].concat();
    let bytes = variant.spec.bytes().chain(name.iter().copied()).chain(numbers);
    let id = bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{id:032x}")
}
