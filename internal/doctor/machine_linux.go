package doctor

import "golang.org/x/sys/unix"

// clockKept asks the kernel whether a time server's program has set the clock lately
// (adjtimex(2)).
func clockKept() (bool, error) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, err
	}
	return t.Status&unix.STA_UNSYNC == 0, nil
}
