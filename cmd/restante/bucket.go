package main

import (
	"context"
	"fmt"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/doctor"
	"github.com/restante/restante/mailbox/sqlstore"
)

// objectOptions says where large bodies are, or nil if they are in the database.
func objectOptions(c *config.S3) *sqlstore.ObjectOptions {
	if c.Bucket == "" {
		return nil
	}
	return &sqlstore.ObjectOptions{Endpoint: c.Endpoint, Region: c.Region, Bucket: c.Bucket, CredentialsFile: c.CredentialsFile}
}

// bucketFindings tries the bucket of large bodies, if there is one.
func bucketFindings(ctx context.Context, c *config.S3) []doctor.Finding {
	o := objectOptions(c)
	if o == nil {
		return nil
	}
	f := doctor.Finding{Check: "bucket", Text: "objects can be written, read in part and removed in " + c.Bucket}
	if err := sqlstore.TryObjects(ctx, *o); err != nil {
		f.State, f.Text = doctor.Wrong, fmt.Sprintf("large mail can't be kept in %s: %v", c.Bucket, err)
		f.Fix = "make the bucket, allow the key of s3.credentials_file to put, get, list and delete there, and see that s3.endpoint answers"
	}
	return []doctor.Finding{f}
}
