package listen

import (
	"crypto/tls"
	"fmt"
	"time"
)

// certFiles is the certificate of an operator, in two files that may change.
type certFiles struct{ cert, key string }

// certificate reads the files. While someone replaces them one after the other
// they do not belong together, which is an error that goes away.
func (f certFiles) certificate(time.Time) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	return &cert, nil
}
