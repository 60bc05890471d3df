//! How numbers and times are written into the page, and our own text.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::Offset};

/// Text that shows as it stands, wherever in the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped<T>(pub(super) T);

/// Text of ours in which backticks are around what is to be read letter by letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prose<'a>(pub(super) &'a str);

/// A number, with its thousands kept apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grouped(pub(super) usize);

/// A number of things that are called so, one or many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<'a>(pub(super) usize, pub(super) &'a str, pub(super) &'a str);

/// So many a second, to the tenth; to the hundredth where that is less than one.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerSecond(pub(super) f64);

/// A length of time, in the one or two units that matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

/// A time, to the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utc(pub(super) Timestamp);

/// A day, in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day(pub(super) Timestamp);

/// Since when something has been so, and for how long where it is the second time now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since(pub(super) Timestamp, pub(super) Timestamp);

/// How long ago something was; nothing is shorter than no time.
pub(super) fn span(time: SignedDuration) -> Span {
    Span(Duration::try_from(time).unwrap_or_default())
}

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let mut rest = text.as_str();
        let next = |text: &str| text.char_indices().find_map(|(place, it)| Some((place, it.len_utf8(), entity(it)?)));
        while let Some((place, length, entity)) = next(rest) {
            f.write_str(&rest[..place])?;
            f.write_str(entity)?;
            rest = &rest[place + length..];
        }
        f.write_str(rest)
    }
}

/// How HTML writes a character that has a meaning in it.
pub(super) fn entity(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

impl fmt::Display for Prose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, piece) in self.0.split('`').enumerate() {
            if number % 2 == 0 {
                write!(f, "{}", Escaped(piece))?;
            } else {
                write!(f, "<code>{}</code>", Escaped(piece))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, one, many) = *self;
        write!(f, "{} {}", Grouped(number), if number == 1 { one } else { many })
    }
}

impl fmt::Display for PerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = match self.0 {
            whole if whole.fract() == 0.0 => 0,
            small if small < 1.0 => 2,
            _ => 1,
        };
        write!(f, "{:.precision$}", self.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        match (minutes, hours, days) {
            (0, ..) => write!(f, "{seconds} s"),
            (1..10, ..) if !seconds.is_multiple_of(60) => write!(f, "{minutes} min {} s", seconds % 60),
            (_, 0, _) => write!(f, "{minutes} min"),
            (_, 1..48, _) if !minutes.is_multiple_of(60) => write!(f, "{hours} h {} min", minutes % 60),
            (_, 1..48, _) => write!(f, "{hours} h"),
            _ => write!(f, "{} days", Grouped(usize::try_from(days).unwrap_or(usize::MAX))),
        }
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(0)).timestamp_to_string(&self.0);
        let shown = iso.replace('T', " ").replace('Z', " UTC");
        write!(f, r#"<time datetime="{iso}">{shown}</time>"#)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Offset::UTC.to_datetime(self.0).date())
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since {}, {}", Utc(self.0), span(self.1.duration_since(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_neither_markup_nor_the_end_of_an_attribute() {
        let foreign = r#"<script a="b" c='d'>&amp;é"#;
        assert_eq!(Escaped(foreign).to_string(), "&lt;script a=&quot;b&quot; c=&#39;d&#39;&gt;&amp;amp;é");
        assert_eq!(Escaped("plain").to_string(), "plain");
        assert_eq!(Prose("a `<b>` & c").to_string(), "a <code>&lt;b&gt;</code> &amp; c");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let grouped = [0, 12, 999, 1_000, 20_000, 1_234_567].map(|number| Grouped(number).to_string());
        assert_eq!(grouped, ["0", "12", "999", "1,000", "20,000", "1,234,567"]);
        assert_eq!([0.0, 1.0 / 3.0, 3.64, 20.0].map(|rate| PerSecond(rate).to_string()), ["0", "0.33", "3.6", "20"]);
        assert_eq!(Count(1, "user", "users").to_string(), "1 user");
        assert_eq!(Count(1_000, "user", "users").to_string(), "1,000 users");
    }

    #[test]
    fn times_are_as_exact_as_matters() {
        let spans = [0, 59, 60, 95, 600, 3_599, 3_600, 5_400, 172_799, 172_800, 191_376_000]
            .map(|seconds| Span(Duration::from_secs(seconds)).to_string());
        assert_eq!(
            spans,
            [
                "0 s",
                "59 s",
                "1 min",
                "1 min 35 s",
                "10 min",
                "59 min",
                "1 h",
                "1 h 30 min",
                "47 h 59 min",
                "2 days",
                "2,215 days"
            ]
        );
        assert_eq!(span(SignedDuration::from_secs(-3)).to_string(), "0 s");
        let time = Utc("2026-01-02T03:04:05.9Z".parse().unwrap()).to_string();
        assert_eq!(time, r#"<time datetime="2026-01-02T03:04:05Z">2026-01-02 03:04:05 UTC</time>"#);
    }
}
