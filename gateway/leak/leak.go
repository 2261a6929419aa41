// Package leak looks for what installed mail clients leave in clear on the disk.
//
// The gateway's own files are sealed; those of the mail client behind it are the client's
// affair. Whoever wants to know sends himself a mail with a Mark in it, lets the client
// fetch it, and then scans the folders that clients are known to use:
//
//	findings, err := leak.Scan(ctx, home, leak.Clients(runtime.GOOS), mark)
//
// The mark is found as it is, in UTF-16, and in base64 at any offset, which is how clients
// keep mail, caches and search indexes. What is compressed or in a database of its own
// format may stay unseen: no finding is no proof.
package leak

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Client is a mail client with the places where it keeps mail.
type Client struct {
	Name   string
	Places []string // below the user's home folder, with / between, as patterns
	Advice string   // what stops it
}

// Finding is a file that holds the mark in clear.
type Finding struct {
	Client string
	Path   string
	Advice string
}

// NewMark returns a word that stands in no file yet.
func NewMark() string { return "restanteleak" + strings.ToLower(rand.Text()) }

// Scan reads the clients' files below home and returns those with the mark in them, and how
// many it has read. Files that can't be read are left out, and told in the error, which comes
// with what was found all the same.
func Scan(ctx context.Context, home string, clients []Client, mark string) (found []Finding, files int, err error) {
	needles := needlesOf(mark)
	var errs []error
	for _, c := range clients {
		for _, place := range c.Places {
			roots, err := filepath.Glob(filepath.Join(home, filepath.FromSlash(place)))
			if err != nil {
				return found, files, fmt.Errorf("leak: %s: %w", c.Name, err)
			}
			for _, root := range roots {
				err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					if err != nil || !d.Type().IsRegular() {
						return skip(&errs, err)
					}
					hit, err := fileHolds(path, needles)
					if err != nil {
						return skip(&errs, err)
					}
					files++
					if hit {
						found = append(found, Finding{c.Name, path, c.Advice})
					}
					return nil
				})
				if err != nil {
					return found, files, err
				}
			}
		}
	}
	return found, files, errors.Join(errs...)
}

// skip notes an error and goes on.
func skip(errs *[]error, err error) error {
	if err != nil {
		*errs = append(*errs, err)
	}
	return nil
}

// needlesOf returns the forms in which a file can hold the mark.
func needlesOf(mark string) [][]byte {
	wide := make([]byte, 0, 2*len(mark))
	for _, b := range []byte(mark) {
		wide = append(wide, b, 0)
	}
	needles := [][]byte{[]byte(mark), wide}
	for shift := range 3 {
		// What stands before decides which letters the mark becomes; those at its ends
		// depend on its neighbours and are left out.
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), mark...))
		first := (shift*8 + 5) / 6
		needles = append(needles, []byte(text[first:len(text)-2]))
	}
	return needles
}

// fileHolds reads a file in pieces that overlap.
func fileHolds(path string, needles [][]byte) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	const piece, overlap = 1 << 20, 256
	buf := make([]byte, 0, piece+overlap)
	for {
		n, err := io.ReadFull(f, buf[len(buf):len(buf)+piece])
		buf = buf[:len(buf)+n]
		lower := bytes.ToLower(buf) // search indexes fold case; the mark has none
		for i, needle := range needles {
			where := buf
			if i == 0 {
				where = lower
			}
			if bytes.Contains(where, needle) {
				return true, nil
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		keep := min(overlap, len(buf))
		buf = buf[:copy(buf, buf[len(buf)-keep:])]
	}
}
