//! The languages of the status page and of `list`'s table. What programs read, such as JSON, CSV, metrics and log lines,
//! is always in English.
//!
//! The texts of a sentence stand side by side, as the arguments of [`Language::choose`]. So a sentence that lacks a language
//! does not compile. For another language, add a variant and an argument: the compiler lists what is to be translated.

use tencentcloud_api::KeyStatus;

/// A language that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The default.
    #[default]
    English,
    /// Simplified Chinese. It is also shown where Traditional Chinese is asked for.
    Chinese,
}

// === impl Language ===

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The text in this language.
    pub fn choose<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    /// Its tag in HTTP and HTML.
    #[must_use]
    pub fn tag(self) -> &'static str {
        self.choose("en", "zh-CN")
    }

    /// The language of a tag such as `zh-CN`, or of a locale's name such as `zh_CN`; English for `*`.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary == "*" || primary.eq_ignore_ascii_case("en") {
            Some(Self::English)
        } else if primary.eq_ignore_ascii_case("zh") {
            Some(Self::Chinese)
        } else {
            None
        }
    }

    /// The language of a POSIX locale such as `zh_CN.UTF-8`. English for a character set other than UTF-8, in which
    /// Chinese text would be unreadable, and for a locale of another language.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let (locale, _modifier) = locale.split_once('@').unwrap_or((locale, ""));
        let (name, charset) = locale.split_once('.').unwrap_or((locale, "UTF-8"));
        let is_utf8 = ["UTF-8", "UTF8"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8));
        Self::of_tag(name).filter(|_| is_utf8).unwrap_or_default()
    }
}

/// What a key's status is called.
#[must_use]
pub fn key_status(language: Language, status: KeyStatus) -> &'static str {
    let chinese = match status {
        KeyStatus::Active => "已启用",
        KeyStatus::Inactive => "已禁用",
        KeyStatus::Unknown => "未知",
    };
    language.choose(status.label(), chinese)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_locales_name_languages() {
        for tag in ["zh", "zh-CN", "ZH-Hans-CN", "zh_TW"] {
            assert_eq!(Language::of_tag(tag), Some(Language::Chinese), "{tag}");
        }
        for tag in ["en", "en-US", "EN", "*"] {
            assert_eq!(Language::of_tag(tag), Some(Language::English), "{tag}");
        }
        for tag in ["", "de", "zho", "english", "中文"] {
            assert_eq!(Language::of_tag(tag), None, "{tag}");
        }
        for language in Language::ALL {
            assert_eq!(Language::of_tag(language.tag()), Some(language));
        }
        for locale in ["zh_CN.UTF-8", "zh_CN.utf8", "zh_CN", "zh_CN.UTF-8@pinyin", "zh"] {
            assert_eq!(Language::of_locale(locale), Language::Chinese, "{locale}");
        }
        for locale in ["C", "POSIX", "C.UTF-8", "en_US.UTF-8", "de_DE.UTF-8", "zh_CN.GB18030", "zh_TW.Big5", ""] {
            assert_eq!(Language::of_locale(locale), Language::English, "{locale}");
        }
    }
}
