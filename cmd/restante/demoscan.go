package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// diskScan is what a search through everything that a relay keeps has found.
type diskScan struct {
	files int
	bytes int64
	found []string // what was found, and in which file
}

// scanDisk looks for the markers in every file under dir, in any letter case.
func scanDisk(dir string, markers map[string]string) (s diskScan, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s.files++
		s.bytes += int64(len(b))
		b = bytes.ToLower(b)
		for name, text := range markers {
			if bytes.Contains(b, bytes.ToLower([]byte(text))) {
				s.found = append(s.found, fmt.Sprintf("%s in %s", name, filepath.Base(path)))
			}
		}
		return nil
	})
	return s, err
}
