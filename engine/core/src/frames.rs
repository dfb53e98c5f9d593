//! Frames that we write beside h2: PINGs of our own, and GOAWAYs that say why. Source: RFC 9113 sections 6.7 and 6.8.

use crate::output::Output;
use h2::Reason;

pub(crate) const HEAD_BYTES: usize = 9;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
/// Of the text of a GOAWAY.
const MOST_TEXT_BYTES: usize = 512;
/// Of a GOAWAY without text.
const GOAWAY_BYTES: usize = 8;

/// What our PINGs carry. h2 ignores the answers: it knows two payloads of its own.
pub(crate) const PING_PAYLOAD: [u8; 8] = *b"penstock";

pub(crate) const OWN_PING: [u8; 17] = ping(0, PING_PAYLOAD);

/// The answer to the PING h2 sends between the two GOAWAYs of a server.
pub(crate) const SHUTDOWN_ACK: [u8; 17] = ping(1, [0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54]);

const fn ping(flags: u8, p: [u8; 8]) -> [u8; 17] {
    [0, 0, 8, PING, flags, 0, 0, 0, 0, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]]
}

/// Why we part.
#[derive(Clone, Debug)]
pub(crate) struct Parting {
    reason: Reason,
    text: Vec<u8>,
}

impl Parting {
    pub(crate) fn new(reason: Reason, text: &str) -> Self {
        let end = text.floor_char_boundary(MOST_TEXT_BYTES);
        Self { reason, text: text.as_bytes()[..end].to_vec() }
    }

    pub(crate) fn go_away(&self, last_stream: u32) -> Vec<u8> {
        let length = u32::try_from(GOAWAY_BYTES + self.text.len()).expect("the text is short");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([GOAWAY, 0, 0, 0, 0, 0]);
        frame.extend(last_stream.to_be_bytes());
        frame.extend(u32::from(self.reason).to_be_bytes());
        frame.extend(&self.text);
        frame
    }

    /// Makes the GOAWAYs that h2 wrote into `output` say it too, unless they tell of an error. Whole frames begin at
    /// `start`.
    pub(crate) fn tell_in(&self, output: &mut Vec<u8>, start: usize) {
        let mut at = start;
        while let Some(head) = output.get(at..).and_then(|rest| rest.first_chunk::<HEAD_BYTES>()) {
            let payload = at + HEAD_BYTES;
            let end = payload + length(*head);
            if head[3] == GOAWAY
                && end == payload + GOAWAY_BYTES
                && let Some(&[a, b, c, d, 0, 0, 0, 0]) = output.get(payload..end)
            {
                let told = self.go_away(u32::from_be_bytes([a, b, c, d]));
                at += told.len();
                output.splice(payload - HEAD_BYTES..end, told);
            } else {
                at = end;
            }
        }
    }
}

/// Of whole frames that we wrote, the RST_STREAMs that nobody here asked for: h2 found something wrong.
pub(crate) fn made_resets(output: &Output) -> usize {
    let mut made = 0;
    output.each_frame(|head, payload| {
        if head[3] == RST_STREAM
            && let Some(&code) = payload.first_chunk()
        {
            let ours = [Reason::NO_ERROR, Reason::CANCEL].contains(&Reason::from(u32::from_be_bytes(code)));
            made += usize::from(!ours);
        }
    });
    made
}

/// The length of a payload. Source: RFC 9113 section 4.1.
pub(crate) fn length(head: [u8; HEAD_BYTES]) -> usize {
    usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(last: u32) -> Vec<u8> {
        Parting::new(Reason::NO_ERROR, "").go_away(last)
    }

    #[test]
    fn planned_go_aways_are_told_why_and_nothing_else_changes() {
        let parting = Parting::new(Reason::NO_ERROR, "max_age");
        let error = Parting::new(Reason::PROTOCOL_ERROR, "").go_away(3);
        let data = [&[0, 0, 8, 0, 0, 0, 0, 0, 1][..], &[GOAWAY; 8]].concat();
        let mut output = [b"xx".to_vec(), planned(7), data.clone(), error.clone(), planned(5)].concat();
        parting.tell_in(&mut output, 2);
        let expected = [b"xx".to_vec(), parting.go_away(7), data, error, parting.go_away(5)].concat();
        assert_eq!(output, expected);
        // Once is enough.
        parting.tell_in(&mut output, 2);
        assert_eq!(output, expected);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for (length, kept) in [(511, 511), (512, 512), (513, 512)] {
            let parting = Parting::new(Reason::NO_ERROR, &"x".repeat(length));
            assert_eq!(parting.go_away(0).len(), HEAD_BYTES + GOAWAY_BYTES + kept);
        }
        assert_eq!(Parting::new(Reason::NO_ERROR, &"\u{e4}".repeat(300)).text.len(), 512);
        assert_eq!(Parting::new(Reason::NO_ERROR, &format!("x{}", "\u{e4}".repeat(300))).text.len(), 511);
    }
}
