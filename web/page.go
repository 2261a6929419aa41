package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed templates static
var files embed.FS

// A page is what a template is given.
type page struct {
	Title  string
	Domain string
	Policy Policy
	Tokens bool // are of use here
	Alert  string
	Body   any
}

// parsePages reads the templates: each page is the layout with its own blocks.
func parsePages() (map[string]*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		base := strings.TrimSuffix(path.Base(name), ".html")
		if base == "layout" || base == "parts" {
			continue
		}
		t, err := template.ParseFS(files, "templates/layout.html", "templates/parts.html", name)
		if err != nil {
			return nil, fmt.Errorf("web: parse page %s: %w", base, err)
		}
		pages[base] = t
	}
	return pages, nil
}

// render answers with a page. The whole page is made before the first byte is sent.
func (s *Server) render(w http.ResponseWriter, code int, name string, p page) {
	p.Domain, p.Policy, p.Tokens = s.domain, s.o.Signup.o.Policy, s.o.Signup.takesTokens()
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", p); err != nil {
		http.Error(w, s.statusOf(fmt.Errorf("make page %s: %w", name, err)).text, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // a visitor who has left needs no answer
}

// fail answers with a page that says what went wrong and nothing else.
func (s *Server) fail(w http.ResponseWriter, err error) {
	st := s.statusOf(err)
	setRetry(w, st)
	s.render(w, st.code, "message", page{Title: "This did not work", Alert: st.text})
}

// setRetry tells programs when to come back.
func setRetry(w http.ResponseWriter, st status) {
	if st.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(st.retry.Seconds()))))
	}
}

// parseForm reads the fields of a form. An error is errForm or that of a body that
// is too large.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") && err == nil {
		err = r.ParseMultipartForm(math.MaxInt64) // never to disk: the body is bounded
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	return nil
}

// staticFile serves a file of ours. Browsers ask each time whether it is still the
// same, and get it again only if it is not.
func staticFile(name string) http.HandlerFunc {
	content, err := files.ReadFile("static/" + name)
	if err != nil {
		panic("restante: internal error: " + err.Error())
	}
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	}
}
