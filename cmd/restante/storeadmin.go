package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"syscall"
	"time"

	"github.com/restante/restante/mailbox/sqlstore"
)

// storeWork is what the store commands do with a store that may be in use: on the
// store itself, or by the running relay through its admin socket.
type storeWork interface {
	do(ctx context.Context, r storeRequest, progress func(sqlstore.Progress)) (storeReply, error)
}

// storeRequest asks for one piece of work.
type storeRequest struct {
	Op   storeOp
	Dir  string `json:",omitempty"` // of a backup
	Keep int    `json:",omitempty"`
	Full bool   `json:",omitempty"`
}

// storeOp names a piece of work on the store.
type storeOp string

const (
	storeBackup storeOp = "backup"
	storeCheck  storeOp = "check"
)

// storeReply is a line of the answer: how far the work is, and in the last one what
// came of it. A relay may work for hours, and says so in time.
type storeReply struct {
	Progress sqlstore.Progress `json:",omitzero"`
	Found    string            `json:",omitempty"` // by check
	Error    string            `json:",omitempty"`
	Done     bool              `json:",omitempty"`
}

// onStore does the work on a store that is open in this process.
type onStore struct{ store *sqlstore.Store }

func (o onStore) do(ctx context.Context, r storeRequest, progress func(sqlstore.Progress)) (storeReply, error) {
	switch r.Op {
	case storeBackup:
		p, err := sqlstore.Backup(ctx, o.store, r.Dir, sqlstore.BackupOptions{Keep: r.Keep, Full: r.Full, Progress: progress})
		return storeReply{Progress: p, Done: true}, outOfReach(err)
	case storeCheck:
		return checkReply(o.store.CheckConsistency(ctx))
	}
	return storeReply{}, fmt.Errorf("the relay does not know the operation %q: restart it with this version of restante", r.Op)
}

// outOfReach says what to do about a folder that a running relay may not write to.
func outOfReach(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: the running relay can't write there; back up to /var/backups/restante, or name the folder in confine.folders and in the unit's ReadWritePaths= and restart the relay, or stop the relay first", err)
	}
	return err
}

// checkReply tells findings from a check that could not be made.
func checkReply(err error) (storeReply, error) {
	if err == nil {
		return storeReply{Done: true}, nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return storeReply{}, err
	}
	return storeReply{Found: err.Error(), Done: true}, nil
}

const (
	// storePath is where the admin socket takes storeRequests.
	storePath = "/store"

	// sayEvery is how often a line of progress is written, and storeSilence how
	// long there may be none.
	sayEvery     = 500 * time.Millisecond
	storeSilence = time.Hour
)

// storeHandler does the work for who asks through the admin socket.
func storeHandler(w storeWork) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, hr *http.Request) {
		var r storeRequest
		if err := json.NewDecoder(http.MaxBytesReader(rw, hr.Body, adminBodyLimit)).Decode(&r); err != nil {
			http.Error(rw, "not a request", http.StatusBadRequest)
			return
		}
		out := lines{rw: rw, control: http.NewResponseController(rw)}
		reply, err := w.do(hr.Context(), r, out.progress)
		if err != nil {
			reply = storeReply{Error: err.Error(), Done: true}
		}
		out.say(reply)
	})
}

// lines writes an answer of many lines.
type lines struct {
	rw      http.ResponseWriter
	control *http.ResponseController
	last    time.Time
}

func (l *lines) progress(p sqlstore.Progress) {
	if time.Since(l.last) >= sayEvery {
		l.say(storeReply{Progress: p})
	}
}

// say writes a line. A client that is gone ends the work by its request's context.
func (l *lines) say(r storeReply) {
	l.last = time.Now()
	_ = l.control.SetWriteDeadline(l.last.Add(storeSilence))
	_ = json.NewEncoder(l.rw).Encode(r)
	_ = l.control.Flush()
}

// remoteStore has the running relay do the work, through its admin socket.
type remoteStore struct{ remote }

func (s remoteStore) do(ctx context.Context, r storeRequest, progress func(sqlstore.Progress)) (storeReply, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return storeReply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin"+storePath, bytes.NewReader(body))
	if err != nil {
		return storeReply{}, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true, ResponseHeaderTimeout: storeSilence}}
	resp, err := client.Do(req)
	if err != nil {
		return storeReply{}, fmt.Errorf("the relay runs but does not answer on its admin socket %s (is it this relay's user who asks?): %w", s.socket, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, err := readReply(resp)
		return storeReply{}, err
	}
	return readLines(resp.Body, progress)
}

// readLines reads an answer to its last line.
func readLines(body io.Reader, progress func(sqlstore.Progress)) (storeReply, error) {
	d := json.NewDecoder(body)
	for {
		var r storeReply
		if err := d.Decode(&r); err != nil {
			return storeReply{}, fmt.Errorf("the relay stopped in the middle: %w", err)
		}
		switch {
		case r.Error != "":
			return storeReply{}, errors.New(r.Error)
		case r.Done:
			return r, nil
		}
		progress(r.Progress)
	}
}
