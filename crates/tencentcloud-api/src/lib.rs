//! Tencent Cloud API 3.0: signatures, transport and typed errors.
