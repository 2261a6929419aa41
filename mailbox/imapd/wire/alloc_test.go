package wire

import (
	"io"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestResponsesDoNotAllocate(t *testing.T) {
	flags := []imap.Flag{imap.FlagSeen, imap.FlagMDNSent}
	uids := []uint32{1, 2, 3, 7}
	e := NewEncoder(io.Discard, EncoderOptions{})
	response := func() {
		e.StartFetch(123456)
		e.Word("FLAGS")
		e.Flags(flags)
		e.Word("ENVELOPE")
		e.Envelope(&rfcEnvelope)
		e.Nums(uids)
		if err := e.EndFetch(); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	// A collection may empty the pool of buffers in the meantime.
	if n := testing.AllocsPerRun(1000, response); n >= 1 {
		t.Errorf("a response took %v allocations", n)
	}
}
