//! An assembler for classic BPF that writes a program from its end to its start. Jumps only go
//! forward, so that what an instruction jumps to is already there and its distance known.

/// The longest program that the kernel takes (BPF_MAXINSNS).
pub(crate) const LONGEST: usize = 4096;

/// The farthest that a branch reaches.
const REACH: usize = u8::MAX as usize;

const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;

/// An instruction that others can go to, counted from the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// What a branch compares the accumulator by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
}

/// A program while it is written.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    /// The last instruction first.
    reversed: Vec<libc::sock_filter>,
    /// Where each action was last returned.
    returns: Vec<(u32, Place)>,
}

impl Assembler {
    /// Returns an action: an instruction that does so already, if a branch reaches it.
    pub(crate) fn end(&mut self, action: u32) -> Place {
        let known = self.returns.iter().position(|(known, _)| *known == action);
        if let Some(index) = known
            && self.distance(self.returns[index].1) < REACH
        {
            return self.returns[index].1;
        }
        let place = self.push(RETURN, action, 0, 0);
        match known {
            Some(index) => self.returns[index].1 = place,
            None => self.returns.push((action, place)),
        }
        place
    }

    /// Goes to one of two places.
    pub(crate) fn branch(&mut self, test: Test, operand: u32, yes: Place, no: Place) -> Place {
        if yes == no {
            return yes;
        }
        let test = match test {
            Test::Equal => libc::BPF_JEQ,
            Test::Greater => libc::BPF_JGT,
            Test::GreaterOrEqual => libc::BPF_JGE,
        };
        let yes = self.within(yes, 1);
        let no = self.within(no, 0);
        // Both are within reach: the one that was moved first leaves room for the other.
        let (yes, no) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.push(
            (libc::BPF_JMP | test | libc::BPF_K) as u16,
            operand,
            yes,
            no,
        )
    }

    /// Loads a word of struct seccomp_data, then goes on.
    pub(crate) fn load(&mut self, offset: u32, next: Place) -> Place {
        self.before(next);
        self.push(LOAD_WORD, offset, 0, 0)
    }

    /// Keeps only the bits of a mask, then goes on.
    pub(crate) fn and(&mut self, mask: u32, next: Place) -> Place {
        self.before(next);
        self.push(AND, mask, 0, 0)
    }

    /// The program that starts at a place, or its length if the kernel would not take it.
    pub(crate) fn finish(mut self, start: Place) -> Result<Vec<libc::sock_filter>, usize> {
        self.before(start);
        self.reversed.reverse();
        if self.reversed.len() > LONGEST {
            return Err(self.reversed.len());
        }
        Ok(self.reversed)
    }

    /// The place or, if it is too far for a branch that has `more` instructions before it, a jump there.
    fn within(&mut self, place: Place, more: usize) -> Place {
        if self.distance(place) + more <= REACH {
            return place;
        }
        self.jump(place)
    }

    /// Makes the next instruction be followed by the one at a place.
    fn before(&mut self, place: Place) {
        if self.distance(place) != 0 {
            self.jump(place);
        }
    }

    fn jump(&mut self, place: Place) -> Place {
        let distance = self.distance(place) as u32;
        self.push(JUMP, distance, 0, 0)
    }

    /// How many instructions a jump at this point would skip.
    fn distance(&self, place: Place) -> usize {
        self.reversed.len() - 1 - place.0
    }

    fn push(&mut self, code: u16, operand: u32, yes: u8, no: u8) -> Place {
        self.reversed.push(libc::sock_filter {
            code,
            jt: yes,
            jf: no,
            k: operand,
        });
        Place(self.reversed.len() - 1)
    }
}
