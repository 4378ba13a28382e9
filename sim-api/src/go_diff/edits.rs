//! Which elements of two lists belong together.
//!
//! Source: go-cmp `internal/diff/diff.go`: two searches from both ends that meet. The real one
//! begins at either end by chance; here it is the front.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Edit {
    Identity,
    Modified,
    OnlyX,
    OnlyY,
}

/// How two elements compare.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) same: usize,
    pub(super) different: usize,
}

impl Found {
    pub(super) fn of(is_equal: bool) -> Self {
        if is_equal { Self { same: 1, different: 0 } } else { Self { same: 0, different: 2 } }
    }

    fn is_equal(self) -> bool {
        self.different == 0
    }

    fn is_similar(self) -> bool {
        self.same + 1 >= self.different
    }
}

struct Path {
    forward: bool,
    x: i64,
    y: i64,
    edits: Vec<Edit>,
}

impl Path {
    fn push(&mut self, edit: Edit) {
        let step = if self.forward { 1 } else { -1 };
        self.x += if edit == Edit::OnlyY { 0 } else { step };
        self.y += if edit == Edit::OnlyX { 0 } else { step };
        self.edits.push(edit);
    }

    fn connect(&mut self, (x, y): (i64, i64), compare: &dyn Fn(i64, i64) -> Found) {
        let left = |path: &Self| ((path.x - x).abs(), (path.y - y).abs());
        loop {
            let (dx, dy) = left(self);
            if dx == 0 || dy == 0 {
                break;
            }
            let back = i64::from(!self.forward);
            let found = compare(self.x - back, self.y - back);
            let takes_x = if self.forward { dx >= dy } else { dy < dx };
            self.push(match (found.is_equal(), found.is_similar(), takes_x) {
                (true, ..) => Edit::Identity,
                (_, true, _) => Edit::Modified,
                (.., true) => Edit::OnlyX,
                (.., false) => Edit::OnlyY,
            });
        }
        let (dx, dy) = left(self);
        for _ in 0..dx {
            self.push(Edit::OnlyX);
        }
        for _ in 0..dy {
            self.push(Edit::OnlyY);
        }
    }
}

/// The edits that make the second list of the first.
pub(super) fn difference(
    nx: usize,
    ny: usize,
    compare: &dyn Fn(usize, usize) -> Found,
) -> Vec<Edit> {
    let (nx, ny) = (i64::try_from(nx).unwrap_or_default(), i64::try_from(ny).unwrap_or_default());
    let compare = |x: i64, y: i64| match (usize::try_from(x), usize::try_from(y)) {
        (Ok(x), Ok(y)) => compare(x, y),
        _ => Found::of(false),
    };
    let mut forward = Path { forward: true, x: 0, y: 0, edits: Vec::new() };
    let mut reverse = Path { forward: false, x: nx, y: ny, edits: Vec::new() };
    let (mut front, mut rear) = ((0, 0), (nx, ny));
    let mut budget = 4 * (nx + ny);
    let mut is_forward = true;
    while front.0 < rear.0 && front.1 < rear.1 && budget > 0 {
        let (own, other) = if is_forward {
            (&mut forward, (reverse.x, reverse.y))
        } else {
            (&mut reverse, (forward.x, forward.y))
        };
        let frontier = if is_forward { &mut front } else { &mut rear };
        search(own, other, frontier, &mut budget, &compare);
        is_forward = !is_forward;
    }
    forward.connect((reverse.x, reverse.y), &compare);
    forward.edits.extend(reverse.edits.into_iter().rev());
    forward.edits
}

/// One step of the search from one end.
fn search(
    own: &mut Path,
    other: (i64, i64),
    frontier: &mut (i64, i64),
    budget: &mut i64,
    compare: &dyn Fn(i64, i64) -> Found,
) {
    let step = if own.forward { 1 } else { -1 };
    let back = i64::from(!own.forward);
    // Before the other end's place, and not behind the own one.
    let ahead = |of: i64, end: i64| (end - of) * step > 0;
    let (mut stop1, mut stop2) = (false, false);
    for i in 0_i64.. {
        if (stop1 && stop2) || *budget <= 0 {
            break;
        }
        let z = if i % 2 == 0 { i / 2 } else { -(i + 1) / 2 };
        let place = (frontier.0 + z * step, frontier.1 - z * step);
        if !ahead(place.0, other.0) || (place.1 - own.y) * step < 0 {
            stop1 = true;
        } else if !ahead(place.1, other.1) || (place.0 - own.x) * step < 0 {
            stop2 = true;
        } else if compare(place.0 - back, place.1 - back).is_equal() {
            own.connect(place, compare);
            own.push(Edit::Identity);
            while ahead(own.x, other.0)
                && ahead(own.y, other.1)
                && compare(own.x - back, own.y - back).is_equal()
            {
                own.push(Edit::Identity);
            }
            *frontier = (own.x, own.y);
            (stop1, stop2) = (true, true);
        } else {
            *budget -= 1;
        }
    }
    let left = ((other.0 - frontier.0) * step, (other.1 - frontier.1) * step);
    if left.0 >= left.1 {
        frontier.0 += step;
    } else {
        frontier.1 += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(x: &str, y: &str) -> String {
        let (x, y) = (x.as_bytes(), y.as_bytes());
        difference(x.len(), y.len(), &|a, b| Found::of(x[a] == y[b]))
            .into_iter()
            .map(|edit| match edit {
                Edit::Identity => '.',
                Edit::Modified => 'M',
                Edit::OnlyX => 'X',
                Edit::OnlyY => 'Y',
            })
            .collect()
    }

    #[test]
    fn what_is_the_same_stays() {
        assert_eq!(edits("abc", "abc"), "...");
        assert_eq!(edits("abc", "abd"), "..XY");
        assert_eq!(edits("", "ab"), "YY");
        assert_eq!(edits("ab", ""), "XX");
        assert_eq!(edits("xabc", "abc"), "X...");
        let script = edits("kitten", "sitting");
        assert_eq!(script.matches(['.', 'X', 'M']).count(), 6);
        assert_eq!(script.matches(['.', 'Y', 'M']).count(), 7);
    }
}
