package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/doctor"
)

// TestOutdatedSettingIsTold: at the start, in status and by the doctor.
func TestOutdatedSettingIsTold(t *testing.T) {
	t.Parallel()
	old := []config.Fault{{Key: "limits.rcpts", Problem: "is called limits.recipients since release 1.1; write that"}}
	var log bytes.Buffer
	warnOfOutdated(slog.New(slog.NewTextHandler(&log, nil)), old)
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "limits.rcpts") {
		t.Errorf("the log says %q", log.String())
	}
	r := openTestRelay(t, func(*config.Config) {})
	r.outdated = old
	rows := r.statusRows(time.Now())
	if got, want := rows[len(rows)-1], [2]string{"WARNING", "limits.rcpts: is called limits.recipients since release 1.1; write that"}; got != want {
		t.Errorf("status: got %q, want %q", got, want)
	}
	if got := summing(r); !strings.Contains(got, "NEEDS YOU") || !strings.Contains(got, "WARNING") || strings.Contains(got, "certificate") {
		t.Errorf("status sums it up as %q", got)
	}
	found := outdatedFindings(old, nil)
	if len(found) != 1 || found[0].State != doctor.Wrong || !strings.Contains(found[0].Text, "limits.recipients") {
		t.Errorf("doctor: got %+v", found)
	}
}
