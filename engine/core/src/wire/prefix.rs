//! The five bytes before each message: `u8 flag | u32 length, big-endian`.

use thiserror::Error;

/// Bytes of a prefix on the wire.
pub const PREFIX_BYTES: usize = 5;

/// A prefix that says what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The payload is compressed with the stream's `grpc-encoding`.
    pub compressed: bool,
    /// Payload bytes that follow.
    pub length: usize,
}

/// Why a prefix ends its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// The flag byte is neither 0 nor 1.
    #[error("message flag {0} is neither 0 nor 1")]
    Flag(u8),
    /// The announced length is over the limit; no byte of the payload was kept.
    #[error("message of {length} bytes exceeds max_receive_message_bytes={limit}")]
    TooLong {
        /// Announced payload bytes.
        length: usize,
        /// The limit in force.
        limit: usize,
    },
}

/// Reads the prefix in `head`, before a byte of its payload is looked at.
///
/// # Errors
/// [`PrefixError::Flag`] for a flag above 1, [`PrefixError::TooLong`] for a length above `limit`.
///
/// Source: gRPC PROTOCOL-HTTP2, "Length-Prefixed-Message".
pub fn read(head: [u8; PREFIX_BYTES], limit: usize) -> Result<Prefix, PrefixError> {
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if head[0] > 1 {
        return Err(PrefixError::Flag(head[0]));
    }
    if length > limit {
        return Err(PrefixError::TooLong { length, limit });
    }
    Ok(Prefix { compressed: head[0] == 1, length })
}

/// The prefix of a payload of `length` bytes.
#[must_use]
pub fn write(compressed: bool, length: u32) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = length.to_be_bytes();
    [u8::from(compressed), a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 255, 65_536, u32::MAX] {
            for compressed in [false, true] {
                let prefix = read(write(compressed, length), u32::MAX as usize).unwrap();
                assert_eq!(prefix, Prefix { compressed, length: length as usize });
            }
        }
    }

    // W7
    #[test]
    fn the_limit_holds_at_its_edge() {
        assert!(read(write(false, 99), 100).is_ok());
        assert!(read(write(false, 100), 100).is_ok());
        assert_eq!(read(write(true, 101), 100), Err(PrefixError::TooLong { length: 101, limit: 100 }));
    }

    // W7
    #[test]
    fn only_flags_zero_and_one_exist() {
        assert!(read([1, 0, 0, 0, 3], 10).unwrap().compressed);
        assert_eq!(read([2, 0, 0, 0, 3], 10), Err(PrefixError::Flag(2)));
    }
}
