//! Decides queues whose elements repeat, element by element: first in, first out.
//!
//! *Problem*: where several elements are equal, it is open which of them a dequeue took. A search that follows time
//! orders concurrent enqueues long before the dequeues show which order is right, and keeps every order until then.
//!
//! *Idea*: the search of Wing and Gong with memoization (Lowe 2017), over two orders in step in place of one in time. It
//! chooses the order of the enqueues and that of the dequeues together. The first enqueue is chosen and then the
//! first dequeue, which must have found its element; then the second of each, and so on. A wrong order shows at the
//! next dequeue, however full the queue is. Which operations were chosen is all that matters for the rest, so a
//! configuration that failed once is not entered again.
//!
//! *Why it is right*: let E be the chosen order of enqueues and D that of dequeues and peeks, each respecting real time.
//! In an order of all operations, those of D also follow the enqueue of their element. That cannot be if an operation
//! of D completes before the enqueue of its element, or of an earlier one, begins; these choices are left out. There
//! is no other obstacle: a cycle of E, D and real time would have two edges of real time, d before e and f before c,
//! with e not behind f in E and c not behind d in D. If d completes first, it precedes c, against D; if f does, it
//! precedes e, against E. An operation that found nothing cuts E and D into parts of which one precedes the other as a
//! whole, which is checked where it is chosen.
//!
//! *Cost*: exponential in the number of concurrent operations in the worst case, near-linear in the length of the
//! history at fixed concurrency.

use super::call::{Call, NEVER};
use super::objects::ContainerAction;
use crate::limits::{Budget, Limits};
use rustc_hash::FxHashSet;

/// The element of a dequeue with an unknown result.
const ANY: u32 = u32::MAX;
/// Bytes that count as one configuration of the limits.
const BYTES_A_CONFIGURATION: usize = 100;
/// The most numbers in the lists of what is open at each completion.
const MOST_OPEN: usize = 1 << 24;

/// What operations do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Peek,
    Empty,
}

const KINDS: [Kind; 4] = [Kind::Add, Kind::Remove, Kind::Peek, Kind::Empty];
/// Those that come in the order of elements that leave.
const LEAVING: [Kind; 3] = [Kind::Remove, Kind::Peek, Kind::Empty];

#[derive(Debug, Clone, Copy)]
struct Operation {
    element: u32,
    invoked: u32,
    completed: u32,
    origin: u32,
}

/// The operations of one kind by rank: in the order of their completions. Those that may not have happened come last,
/// in the order of their invocations.
#[derive(Debug)]
struct Line {
    operations: Vec<Operation>,
    /// By rank, of those that certainly happened: the ranks from it on of such that were invoked before it completed.
    open: Vec<Vec<u32>>,
    /// By rank: the latest invocation of those before it.
    latest: Vec<u32>,
}

impl Line {
    /// None if more would be open than there is room for.
    fn new(mut operations: Vec<Operation>) -> Option<Self> {
        operations.sort_by_key(|operation| (operation.completed, operation.invoked));
        let certain = operations.partition_point(|operation| operation.completed != NEVER);
        let mut by_invocation: Vec<u32> = (0..).zip(&operations[..certain]).map(|(rank, _)| rank).collect();
        by_invocation.sort_by_key(|rank| operations[*rank as usize].invoked);
        let mut coming = by_invocation.into_iter().peekable();
        let mut open: Vec<Vec<u32>> = Vec::with_capacity(certain);
        let mut now: Vec<u32> = Vec::new();
        let mut room = MOST_OPEN;
        for (rank, operation) in (0..).zip(&operations[..certain]) {
            let begun = |rank: &u32| operations[*rank as usize].invoked <= operation.completed;
            while let Some(rank) = coming.next_if(begun) {
                now.insert(now.partition_point(|other| *other < rank), rank);
            }
            room = room.checked_sub(now.len())?;
            open.push(now.clone());
            now.retain(|other| *other != rank);
        }
        let latest = std::iter::once(0).chain(operations.iter().scan(0, |latest, operation| {
            *latest = operation.invoked.max(*latest);
            Some(*latest)
        }));
        Some(Self { latest: latest.collect(), operations, open })
    }
}

/// The operations of one kind that were chosen.
#[derive(Debug, Clone, Default)]
struct Chosen {
    /// The lowest rank that was not.
    mark: u32,
    /// The ranks above it that were, sorted.
    above: Vec<u32>,
}

impl Chosen {
    fn add(&mut self, rank: u32) {
        self.above.insert(self.above.partition_point(|other| *other < rank), rank);
        while self.above.first() == Some(&self.mark) {
            self.above.remove(0);
            self.mark += 1;
        }
    }

    fn has(&self, rank: u32) -> bool {
        rank < self.mark || self.above.binary_search(&rank).is_ok()
    }
}

/// A configuration of the search.
#[derive(Debug, Clone, Default)]
struct Position {
    /// By kind.
    chosen: [Chosen; 4],
    /// The element that was enqueued last, until it is dequeued.
    head: Option<u32>,
}

impl Position {
    fn of(&self, kind: Kind) -> &Chosen {
        &self.chosen[kind as usize]
    }

    /// Equal for equal positions only.
    fn key(&self) -> Box<[u32]> {
        let mut key = vec![self.head.unwrap_or(ANY)];
        for chosen in &self.chosen {
            key.push(chosen.mark);
            key.extend(&chosen.above);
            key.push(ANY);
        }
        key.into()
    }
}

type Choice = (Kind, u32);

/// A rank.
fn small(rank: usize) -> u32 {
    u32::try_from(rank).expect("a history has less than four billion operations")
}

/// Whether a queue is linearizable; none if the limits ended the search.
pub(super) fn linearizable(calls: &[Call<ContainerAction>], limits: &Limits<'_>) -> Option<bool> {
    let mut search = Search::new(calls)?;
    search.run(limits)
}

/// An order by origin, of calls that are [`linearizable`].
pub(super) fn order(calls: &[Call<ContainerAction>], limits: &Limits<'_>) -> Option<Vec<u32>> {
    let mut search = Search::new(calls)?;
    (search.run(limits) == Some(true)).then(|| search.order())
}

struct Frame {
    position: Position,
    /// What may be chosen, the best last.
    choices: Vec<Choice>,
}

struct Search {
    /// By kind.
    lines: [Line; 4],
    frames: Vec<Frame>,
    /// What was chosen on the way to each frame but the first.
    path: Vec<Choice>,
    /// Every configuration that was entered, and their size in bytes. A choice that leads to one again fails.
    entered: FxHashSet<Box<[u32]>>,
    bytes: usize,
}

impl Search {
    fn new(calls: &[Call<ContainerAction>]) -> Option<Self> {
        let mut by_kind: [Vec<Operation>; 4] = Default::default();
        for call in calls {
            let (kind, element) = match call.action {
                ContainerAction::Add(element) => (Kind::Add, element),
                ContainerAction::Remove(element) => (Kind::Remove, element),
                ContainerAction::Take => (Kind::Remove, ANY),
                ContainerAction::Peek(element) => (Kind::Peek, element),
                ContainerAction::Empty => (Kind::Empty, ANY),
            };
            // An uncertain operation without an effect restricts no order.
            if call.certain() || matches!(kind, Kind::Add | Kind::Remove) {
                let Call { invoked, completed, origin, .. } = *call;
                by_kind[kind as usize].push(Operation { element, invoked, completed, origin });
            }
        }
        let [adds, removes, peeks, empties] = by_kind.map(Line::new);
        Some(Self {
            lines: [adds?, removes?, peeks?, empties?],
            frames: Vec::new(),
            path: Vec::new(),
            entered: FxHashSet::default(),
            bytes: 0,
        })
    }

    fn run(&mut self, limits: &Limits<'_>) -> Option<bool> {
        let mut budget = Budget::new(limits);
        let mut next = Some(Position::default());
        loop {
            budget.step(self.bytes / BYTES_A_CONFIGURATION, 0).ok()?;
            if let Some(position) = next.take() {
                if self.is_complete(&position) {
                    return Some(true);
                }
                let choices = self.choices(&position);
                self.frames.push(Frame { position, choices });
            }
            let Some(frame) = self.frames.last_mut() else { return Some(false) };
            let Some(choice) = frame.choices.pop() else {
                self.frames.pop();
                self.path.pop();
                continue;
            };
            let position = after(&frame.position, choice, &self.lines);
            let key = position.key();
            let size = size_of_val(&*key) + 32;
            if self.entered.insert(key) {
                self.bytes += size;
                self.path.push(choice);
                next = Some(position);
            }
        }
    }

    fn operation(&self, (kind, rank): Choice) -> Operation {
        self.lines[kind as usize].operations[rank as usize]
    }

    /// The earliest completion among those of a kind that were not chosen.
    fn due(&self, position: &Position, kind: Kind) -> u32 {
        let operations = &self.lines[kind as usize].operations;
        operations.get(position.of(kind).mark as usize).map_or(NEVER, |operation| operation.completed)
    }

    fn first_due(&self, position: &Position, kinds: &[Kind]) -> u32 {
        kinds.iter().map(|kind| self.due(position, *kind)).min().unwrap_or(NEVER)
    }

    /// Whether every certain dequeue and peek was chosen. The elements that remain can be enqueued at the end.
    fn is_complete(&self, position: &Position) -> bool {
        self.first_due(position, &LEAVING) == NEVER
    }

    /// Those of a kind that were not chosen and begin before a moment, by completion.
    fn candidates(&self, position: &Position, kind: Kind, until: u32) -> impl Iterator<Item = u32> {
        let (line, chosen) = (&self.lines[kind as usize], position.of(kind));
        let open = line.open.get(chosen.mark as usize).map_or(&[][..], Vec::as_slice);
        let begun = move |rank: &u32| line.operations[*rank as usize].invoked <= until;
        let optional = chosen.mark.max(small(line.open.len()))..small(line.operations.len());
        let all = open.iter().copied().filter(begun).chain(optional.take_while(begun));
        all.filter(move |rank| !chosen.has(*rank))
    }

    fn choices(&self, position: &Position) -> Vec<Choice> {
        let mut choices = match position.head {
            None => self.choices_of_next(position),
            Some(element) => self.choices_at_head(position, element),
        };
        choices.reverse();
        choices
    }

    /// The choices while no element is at the head.
    fn choices_of_next(&self, position: &Position) -> Vec<Choice> {
        let due = self.first_due(position, &KINDS);
        // Every chosen operation precedes the empty dequeue, and every other one follows it.
        let latest = [Kind::Remove, Kind::Peek].map(|kind| self.latest(position, kind));
        if latest.iter().all(|latest| *latest <= self.due(position, Kind::Add))
            && let Some(empty) = self.candidates(position, Kind::Empty, due).next()
        {
            return vec![(Kind::Empty, empty)];
        }
        let mut elements: Vec<u32> = Vec::new();
        let mut choices = Vec::new();
        for add in self.candidates(position, Kind::Add, due) {
            // Of equal elements, the one whose enqueue completes first.
            let element = self.operation((Kind::Add, add)).element;
            if !elements.contains(&element) {
                elements.push(element);
                choices.push((Kind::Add, add));
            }
        }
        choices
    }

    /// The choices while an element is at the head: of the operations that find it, the one that completes first.
    /// Another one that begins earlier may come instead, as long as some operation finds nothing later: the first might
    /// be chosen too early for that one.
    fn choices_at_head(&self, position: &Position, element: u32) -> Vec<Choice> {
        let due = self.first_due(position, &LEAVING);
        let harmless = match self.due(position, Kind::Empty) {
            NEVER => NEVER,
            _ => self.due(position, Kind::Add),
        };
        let mut choices: Vec<Choice> = Vec::new();
        // A dequeue with an unknown result may take any element, so it comes last.
        for (kind, wanted) in [(Kind::Peek, element), (Kind::Remove, element), (Kind::Remove, ANY)] {
            if kind == Kind::Remove
                && choices.iter().any(|choice| self.operation(*choice).invoked <= harmless)
            {
                break;
            }
            let mut least = NEVER;
            for rank in self.candidates(position, kind, due) {
                let Operation { element, invoked, .. } = self.operation((kind, rank));
                if element == wanted && invoked < least {
                    choices.push((kind, rank));
                    least = invoked;
                    if invoked <= harmless {
                        break;
                    }
                }
            }
        }
        choices
    }

    /// The latest invocation of those of a kind that were chosen.
    fn latest(&self, position: &Position, kind: Kind) -> u32 {
        let (line, chosen) = (&self.lines[kind as usize], position.of(kind));
        let above = chosen.above.iter().map(|rank| line.operations[*rank as usize].invoked);
        above.fold(line.latest[chosen.mark as usize], u32::max)
    }

    /// The order by origin. Only after [`run`](Self::run) found one.
    fn order(&self) -> Vec<u32> {
        let adds = &self.lines[Kind::Add as usize].operations;
        let mut left = vec![true; adds.len()];
        let mut entering: Vec<Operation> = Vec::new();
        // Each with how many must have entered before.
        let mut leaving: Vec<(usize, Operation)> = Vec::new();
        for choice in self.path.iter().copied() {
            if choice.0 == Kind::Add {
                left[choice.1 as usize] = false;
                entering.push(self.operation(choice));
            } else {
                leaving.push((entering.len(), self.operation(choice)));
            }
        }
        let stays = adds.iter().zip(left).filter(|(add, left)| *left && add.completed != NEVER);
        entering.extend(stays.map(|(add, _)| *add));
        let mut due = vec![NEVER; entering.len() + 1];
        for (index, add) in entering.iter().enumerate().rev() {
            due[index] = due[index + 1].min(add.completed);
        }
        let mut order = Vec::with_capacity(entering.len() + leaving.len());
        let mut entered = 0;
        for (needed, operation) in leaving {
            while entered < needed || due[entered] < operation.invoked {
                order.push(entering[entered].origin);
                entered += 1;
            }
            order.push(operation.origin);
        }
        order.extend(entering[entered..].iter().map(|add| add.origin));
        order
    }
}

/// The position after a choice.
fn after(position: &Position, (kind, rank): Choice, lines: &[Line; 4]) -> Position {
    let mut next = position.clone();
    next.chosen[kind as usize].add(rank);
    match kind {
        Kind::Add => next.head = Some(lines[kind as usize].operations[rank as usize].element),
        Kind::Remove => next.head = None,
        Kind::Peek | Kind::Empty => {}
    }
    next
}
