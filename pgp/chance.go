package pgp

import (
	"errors"
	"math"
)

// chance tells ciphertext, every octet of which is equally likely, from text that stands where ciphertext should. It
// looks at windows of 4 KiB, so that a page of text inside much ciphertext is seen too. Three tests fail less than one
// honest window in 10^12:
//
//   - the χ² of how often each octet occurs, which finds any language, encoding and most file formats;
//   - how many octets are printable ASCII, which finds text of 32 octets and more;
//   - how many of them stand in a row, which finds a sentence anywhere.
//
// It proves nothing: compressed data, or text enciphered by hand, passes.
type chance struct {
	n      int         // octets of the current window
	run    int         // printable octets at the end of what has come
	counts [256]uint16 // of each octet in the current window
}

const (
	chanceWindow = 4096

	// χ² has 255 degrees of freedom: 255 is its mean, 22.6 its deviation. Over 450 has a probability of 3e-13 in a full
	// window; in shorter ones its tail is longer, and over 550 has 5e-15 at 256 octets (summed exactly).
	chiFull    = 450
	chiShort   = 550
	chiMinimum = 256

	// printableRun is the longest run that passes; one begins at a given octet with a probability of 1e-20.
	printableRun = 48
	// printableNats bounds the improbability of a number of printable octets: e^-30 is 1e-13.
	printableNats = 30
)

var errNotChance = errors.New("what should be encrypted data is readable text or another file")

// write adds octets and tests each full window.
func (c *chance) write(b []byte) error {
	for len(b) > 0 {
		take := min(len(b), chanceWindow-c.n)
		if c.longRun(b[:take]) {
			return errNotChance
		}
		for _, octet := range b[:take] {
			c.counts[octet]++
		}
		c.n += take
		b = b[take:]
		if c.n == chanceWindow {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush tests what has come since the last full window.
func (c *chance) flush() error {
	squares, printables := 0, 0
	for octet, n := range c.counts {
		squares += int(n) * int(n)
		if printable[octet] {
			printables += int(n)
		}
	}
	n := c.n
	*c = chance{}
	if tooUneven(n, squares) || tooPrintable(n, printables) {
		return errNotChance
	}
	return nil
}

// tooUneven is the χ² test of n octets, given the sum of the squares of how often each value occurred.
func tooUneven(n, squares int) bool {
	if n < chiMinimum {
		return false
	}
	chi := squares*256/n - n
	return chi > chiShort || chi > chiFull && n == chanceWindow
}

// tooPrintable reports whether so many of n octets are printable that chance does not explain it: by Chernoff's bound
// the probability is under e to the power of minus n times the relative entropy.
func tooPrintable(n, printables int) bool {
	share := float64(printables) / float64(max(n, 1))
	if share <= printableShare {
		return false
	}
	entropy := share * math.Log(share/printableShare)
	if share < 1 {
		entropy += (1 - share) * math.Log((1-share)/(1-printableShare))
	}
	return float64(n)*entropy > printableNats
}

// longRun takes a piece of the window and reports whether it has, or ends with the one before, a run of more than
// printableRun printable octets. Inside the piece such a run covers an octet at a multiple of that distance, so most
// octets are never looked at.
func (c *chance) longRun(b []byte) bool {
	head := printablePrefix(b)
	if c.run += head; c.run > printableRun {
		return true
	}
	if head == len(b) {
		return false
	}
	for at := printableRun; at < len(b); at += printableRun {
		if printable[b[at]] && printableSuffix(b[:at])+printablePrefix(b[at:]) > printableRun {
			return true
		}
	}
	c.run = printableSuffix(b)
	return false
}

// printablePrefix returns how many octets at the start of b are printable.
func printablePrefix(b []byte) int {
	for i, octet := range b {
		if !printable[octet] {
			return i
		}
	}
	return len(b)
}

// printableSuffix returns how many octets at the end of b are printable.
func printableSuffix(b []byte) int {
	for i := len(b); i > 0; i-- {
		if !printable[b[i-1]] {
			return len(b) - i
		}
	}
	return len(b)
}

// printable has the octets of ASCII text.
var printable = makePrintable()

func makePrintable() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = true
	}
	t['\t'], t['\n'], t['\r'] = true, true, true
	return t
}

// printableShare is how much of ciphertext is printable.
const printableShare = 98.0 / 256
