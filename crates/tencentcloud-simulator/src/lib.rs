//! A fake of the Tencent Cloud API, for tests and demonstrations.
