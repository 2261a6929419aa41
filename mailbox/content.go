package mailbox

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/restante/restante/internal/mime"
)

// contentID says what a message is, whichever way it came: relays add trace
// fields to a header, and a second try may come through other relays, but
// Message-ID, Content-Type and the body stay.
type contentID struct {
	messageID string
	digest    [sha256.Size]byte
}

// contentID reads the message once; later calls return what it found.
func (m *Spooled) contentID() (*contentID, error) {
	if m.id != nil {
		return m.id, nil
	}
	header := make([]byte, m.Message.HeaderLen)
	if _, err := io.ReadFull(io.NewSectionReader(m.spool, 0, m.Message.HeaderLen), header); err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	h := sha256.New()
	id := &contentID{}
	for f := range mime.Fields(header) {
		switch {
		case strings.EqualFold(f.Name, "Content-Type"):
			h.Write(f.Raw)
		case strings.EqualFold(f.Name, "Message-ID"):
			id.messageID += strings.TrimSpace(f.Value())
		}
	}
	if err := m.spool.copyTo(h, m.Message.HeaderLen); err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	h.Sum(id.digest[:0])
	m.id = id
	return id, nil
}

// StandFor makes m the same message as another one, in another form: whoever brings
// the other one again is not given a second copy of m.
func (m *Spooled) StandFor(other *Spooled) error {
	id, err := other.contentID()
	m.id = id
	return err
}

// Envelope data, inside its seal: version, internal date (seconds since 1970 and
// minutes east of UTC, big-endian), and the message as package mime encodes it.
const (
	envelopeVersion = 1
	envelopeHead    = 1 + 8 + 2
)

func appendEnvelope(dst []byte, date time.Time, m *mime.Message) []byte {
	_, offset := date.Zone()
	dst = append(dst, envelopeVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(date.Unix()))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(offset/60)))
	return m.AppendBinary(dst)
}

// parseEnvelope reads the internal date and returns what mime encoded.
func parseEnvelope(b []byte) (date time.Time, message []byte, err error) {
	if message, err = cutEnvelope(b); err != nil {
		return time.Time{}, nil, err
	}
	minutes := int16(binary.BigEndian.Uint16(b[9:]))
	date = time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0).In(zone(minutes))
	return date, message, nil
}

// cutEnvelope returns what mime encoded.
func cutEnvelope(b []byte) ([]byte, error) {
	if len(b) < envelopeHead {
		return nil, fmt.Errorf("envelope data of %d bytes", len(b))
	}
	if b[0] != envelopeVersion {
		return nil, fmt.Errorf("envelope data of unknown version %d", b[0])
	}
	return b[envelopeHead:], nil
}

// zone returns the time zone so many minutes east of UTC.
func zone(minutes int16) *time.Location {
	if minutes == 0 {
		return time.UTC
	}
	return time.FixedZone("", int(minutes)*60)
}
