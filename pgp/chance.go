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
	n      int
	window [chanceWindow]byte
	counts [256]uint16
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
		take := copy(c.window[c.n:], b)
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
	window := c.window[:c.n]
	c.n = 0
	for _, octet := range window {
		c.counts[octet]++
	}
	squares, printables := 0, 0
	for octet, n := range c.counts {
		squares += int(n) * int(n)
		if printable[octet] {
			printables += int(n)
		}
	}
	clear(c.counts[:])
	if tooUneven(len(window), squares) || tooPrintable(len(window), printables) || longRun(window) {
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

// longRun reports whether b has a run of more than printableRun printable octets. Such a run covers an octet at a
// multiple of that distance, so most octets are never looked at.
func longRun(b []byte) bool {
	for at := printableRun; at < len(b); at += printableRun {
		if !printable[b[at]] {
			continue
		}
		from, to := at, at+1
		for from > 0 && printable[b[from-1]] {
			from--
		}
		for to < len(b) && printable[b[to]] {
			to++
		}
		if to-from > printableRun {
			return true
		}
	}
	return false
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
