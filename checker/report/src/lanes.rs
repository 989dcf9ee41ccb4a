//! Operations as bars, one below the other, in the order of their events.

use checker::words;
use history::{OperationRef, ToOperations};

/// Columns the bars may take.
const COLUMNS: usize = 60;
/// Columns from one event to the next, where there is room.
const STEP: usize = 3;

/// A line for each of these operations (indexes in the slice): a bar from its invocation to its completion, and what
/// it did. Bars that overlap were concurrent; only the order of events counts, so distances say nothing. A bar
/// without an end is of unknown outcome. The operation `odd` gets a mark.
///
/// ```text
/// ├──┤              operation 0  client 1: write k1 17 → ok
///       ├──┤        operation 1  client 2: write k1 18 → ok
///             ├──┤  operation 2  client 1: read k1 → 17  ← cannot be explained
/// ```
pub fn lanes(
    operations: &(impl ToOperations + ?Sized),
    indexes: &[usize],
    odd: Option<usize>,
) -> Vec<String> {
    let operations = &*operations.to_operations();
    let shown: Vec<(usize, OperationRef<'_>)> =
        indexes.iter().filter_map(|&index| Some((index, operations.get(index)?))).collect();
    let mut events: Vec<usize> = shown
        .iter()
        .flat_map(|(_, operation)| [Some(operation.invoked), operation.completed])
        .flatten()
        .collect();
    events.sort_unstable();
    events.dedup();
    let step = (COLUMNS / events.len().max(1)).clamp(1, STEP);
    let column = |event: usize| events.partition_point(|other| *other < event) * step;
    let open = shown.iter().any(|(_, operation)| operation.completed.is_none());
    let width = events.len().saturating_sub(usize::from(!open)) * step + 1;
    let digits = shown.iter().map(|(index, _)| index.to_string().len()).max().unwrap_or(1);
    shown
        .iter()
        .map(|(index, operation)| {
            let bar = bar(column(operation.invoked), operation.completed.map(column), width);
            let who = words::who(operation);
            let mark = if Some(*index) == odd { "  ← cannot be explained" } else { "" };
            format!("{bar}  operation {index:<digits$}  {who}: {}{mark}", words::in_short(operation))
        })
        .collect()
}

/// A bar between two columns of `width`; without an end it runs out of the picture.
fn bar(start: usize, end: Option<usize>, width: usize) -> String {
    (0..width)
        .map(|column| match end {
            _ if column < start => ' ',
            _ if column == start => '├',
            Some(end) if column < end => '─',
            Some(end) if column == end => '┤',
            Some(_) => ' ',
            None => '┄',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::lanes;
    use history::{Event, Kind, Process, pair};
    use serde_json::json;

    #[test]
    fn bars_overlap_exactly_where_operations_are_concurrent() {
        let event = |process, kind, value| {
            let mut event = Event::new(Process::Client(process), kind, "write");
            event.value = json!(value);
            event
        };
        let operations = pair(&[
            event(1, Kind::Invoke, 7),
            event(2, Kind::Invoke, 8),
            event(1, Kind::Ok, 7),
            event(3, Kind::Invoke, 9),
            event(3, Kind::Ok, 9),
            event(2, Kind::Info, 8),
        ])
        .unwrap();
        let drawn = lanes(&operations, &[0, 1, 2], Some(2));
        assert_eq!(drawn[0], "├─────┤           operation 0  process 1: write 7 → ok");
        assert_eq!(drawn[1], "   ├┄┄┄┄┄┄┄┄┄┄┄┄  operation 1  process 2: write 8 → info");
        assert_eq!(drawn[2], "         ├──┤     operation 2  process 3: write 9 → ok  ← cannot be explained");
    }

    #[test]
    fn hundreds_of_operations_stay_narrow_enough_to_read() {
        let mut events = Vec::new();
        for process in 0..200 {
            events.push(Event::new(Process::Client(process), Kind::Invoke, "read"));
            events.push(Event::new(Process::Client(process), Kind::Ok, "read"));
        }
        let operations = pair(&events).unwrap();
        let drawn = lanes(&operations, &(0..200).collect::<Vec<_>>(), None);
        assert_eq!(drawn.len(), 200);
        assert!(drawn[199].trim_start().starts_with("├┤"), "{}", drawn[199]);
    }
}
