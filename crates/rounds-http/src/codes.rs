//! The stable codes of this crate's errors, in one place so that each has one meaning.

use rounds_domain::Code;

/// No connection to the EHR.
pub const EHR_CONNECT: Code = Code::new("R0301");
/// The EHR took too long.
pub const EHR_TIMEOUT: Code = Code::new("R0302");
/// The EHR's answer has more bytes than allowed.
pub const EHR_BODY_LIMIT: Code = Code::new("R0303");
/// The EHR's answer ended early.
pub const EHR_BROKEN: Code = Code::new("R0304");
/// The URL leads to another host than the connection's.
pub const EHR_OTHER_HOST: Code = Code::new("R0305");
/// A secret of the connection cannot be had.
pub const EHR_SECRET: Code = Code::new("R0306");
/// The EHR's address may not be dialled.
pub const EHR_ADDRESS: Code = Code::new("R0307");
/// No TLS session with the EHR.
pub const EHR_TLS: Code = Code::new("R0308");
/// Any other trouble of an exchange with an EHR.
pub const EHR_OTHER: Code = Code::new("R0309");

/// The token endpoint refuses to give a token.
pub const TOKEN_REFUSED: Code = Code::new("R0330");
/// The token endpoint or the login has trouble of its own now.
pub const TOKEN_UNAVAILABLE: Code = Code::new("R0331");
/// The token endpoint's answer holds no token that can be used.
pub const NO_TOKEN: Code = Code::new("R0332");
/// A private key cannot be used.
pub const BAD_KEY: Code = Code::new("R0333");
/// The EHR does not say where tokens are asked for.
pub const NOT_DISCOVERED: Code = Code::new("R0334");
/// The login is refused.
pub const LOGIN_REFUSED: Code = Code::new("R0335");
/// The refresh token cannot be kept.
pub const NOT_KEPT: Code = Code::new("R0336");
/// The login's answer holds no session.
pub const NO_SESSION: Code = Code::new("R0337");

/// A push to nobody.
pub const PUSH_TO_NOBODY: Code = Code::new("R0391");
/// A push by somebody who is not proven.
pub const PUSH_NOT_PROVEN: Code = Code::new("R0392");
/// A push whose body cannot be had.
pub const PUSH_UNREAD: Code = Code::new("R0393");
/// A push that cannot be taken now.
pub const PUSH_NOT_KEPT: Code = Code::new("R0394");
/// No connection to the destination.
pub const DESTINATION_CONNECT: Code = Code::new("R0501");
/// The destination took too long.
pub const DESTINATION_TIMEOUT: Code = Code::new("R0502");
/// No TLS session with the destination.
pub const DESTINATION_TLS: Code = Code::new("R0503");
/// The exchange with the destination ended early, or was not HTTP.
pub const DESTINATION_BROKEN: Code = Code::new("R0504");
/// The destination's address may not be dialled.
pub const DESTINATION_ADDRESS: Code = Code::new("R0505");
/// A secret of the destination cannot be had or used.
pub const DESTINATION_SECRET: Code = Code::new("R0506");
/// The destination did not prove itself.
pub const DESTINATION_CHALLENGE: Code = Code::new("R0507");
/// No access token for the destination.
pub const DESTINATION_TOKEN: Code = Code::new("R0513");
/// The request to the destination cannot be built. (R0508 and those after it are the engine's: what follows from an
/// attempt.)
pub const DESTINATION_REQUEST: Code = Code::new("R0520");
