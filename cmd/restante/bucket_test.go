package main

import (
	"strings"
	"testing"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/doctor"
	"github.com/restante/restante/test/bucket"
)

// TestBucketFindings: the doctor tries the bucket, says what is wrong and what to do,
// and says nothing of it where there is none.
func TestBucketFindings(t *testing.T) {
	t.Parallel()
	if got := bucketFindings(t.Context(), &config.S3{}); got != nil {
		t.Errorf("without a bucket, got %v", got)
	}
	b := bucket.Start(t)
	right := config.S3{Bucket: b.Name, Endpoint: b.Endpoint, Region: b.Region, CredentialsFile: b.CredentialsFile}
	missing, unreadable := right, right
	missing.Bucket, unreadable.CredentialsFile = "nobody-made-it", "/nowhere/credentials"
	for name, c := range map[string]struct {
		s3   config.S3
		want doctor.State
		text string
	}{
		"right":          {right, doctor.OK, "written, read"},
		"no bucket":      {missing, doctor.Wrong, "NoSuchBucket"},
		"no credentials": {unreadable, doctor.Wrong, "can't be kept"},
	} {
		got := bucketFindings(t.Context(), &c.s3)
		if len(got) != 1 || got[0].State != c.want || !strings.Contains(got[0].Text, c.text) {
			t.Errorf("%s: got %v, want %v with %q", name, got, c.want, c.text)
		}
		if c.want == doctor.Wrong && len(got) == 1 && got[0].Fix == "" {
			t.Errorf("%s: it is not said what to do", name)
		}
	}
}
