package sqlstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// ObjectOptions says where the large bodies of a store on PostgreSQL are, instead of
// in the database: in a bucket of an object store that speaks S3. What lies there are
// sealed bytes of a padded size under random names. Several stores may share a bucket.
type ObjectOptions struct {
	// Endpoint is the server: https://host or http://host, with a port if need be.
	Endpoint string

	// Region is what requests are signed for. Most servers but Amazon's take any.
	Region string

	// Bucket must be there already.
	Bucket string

	// CredentialsFile holds the key in the form of Amazon's shared credentials file:
	// under [default] the lines aws_access_key_id and aws_secret_access_key.
	CredentialsFile string
}

const (
	// objectTimeout bounds what the server does without progress.
	objectTimeout = 30 * time.Second

	// objectConns bounds the connections to the server.
	objectConns = 16

	// objectTries is how often a request that can be repeated is made.
	objectTries = 3
)

// objectStore is a bucket, and what our names in it begin with.
type objectStore struct {
	core   *minio.Core
	bucket string
	prefix string
}

func newObjectStore(o ObjectOptions) (*objectStore, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("the endpoint of the object store can't be read; write https://host")
	}
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:      credentials.NewFileAWSCredentials(o.CredentialsFile, "default"),
		Secure:     u.Scheme == "https",
		Region:     o.Region,
		Transport:  objectTransport(),
		MaxRetries: objectTries,
	})
	if err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	return &objectStore{core: core, bucket: o.Bucket}, nil
}

func objectTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: objectTimeout / 3}).DialContext,
		TLSHandshakeTimeout:   objectTimeout / 3,
		ResponseHeaderTimeout: objectTimeout,
		MaxConnsPerHost:       objectConns,
		MaxIdleConnsPerHost:   objectConns,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // what is sealed does not compress
	}
}

func (o *objectStore) name(blob seal.BlobID) string { return o.prefix + "/" + blob.String() }

// put uploads size bytes of r. They are durable when it returns nil. It takes as long
// as r does: ctx must end when there is no progress.
func (o *objectStore) put(ctx context.Context, name string, r io.Reader, size int64) error {
	// The bytes prove themselves when they are opened, and TLS keeps them on the way.
	_, err := o.core.Client.PutObject(ctx, o.bucket, name, r, size, minio.PutObjectOptions{
		DisableMultipart: true, DisableContentSha256: true, ContentType: "application/octet-stream",
	})
	return objectError(err)
}

// get reads the range of len(p) bytes from off on.
func (o *objectStore) get(ctx context.Context, name string, p []byte, off int64) error {
	ctx, cancel := context.WithTimeout(ctx, objectTimeout)
	defer cancel()
	var opts minio.GetObjectOptions
	if err := opts.SetRange(off, off+int64(len(p))-1); err != nil {
		return err
	}
	r, _, _, err := o.core.GetObject(ctx, o.bucket, name, opts)
	if err != nil {
		return objectError(err)
	}
	defer r.Close()
	_, err = io.ReadFull(r, p)
	return objectError(err)
}

// stat returns the size of an object.
func (o *objectStore) stat(ctx context.Context, name string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, objectTimeout)
	defer cancel()
	info, err := o.core.StatObject(ctx, o.bucket, name, minio.StatObjectOptions{})
	return info.Size, objectError(err)
}

// remove removes an object. That it is not there is no error.
func (o *objectStore) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, objectTimeout)
	defer cancel()
	err := objectError(o.core.RemoveObject(ctx, o.bucket, name, minio.RemoveObjectOptions{}))
	if errors.Is(err, errNoObject) {
		return nil
	}
	return err
}

var errNoObject = errors.New("there is no such object")

// objectError makes of an error of the client one that names neither server nor
// object: ErrBusy, since nothing is lost and a later try may succeed, with what the
// server said in one word.
func objectError(err error) error {
	if err == nil {
		return nil
	}
	var said minio.ErrorResponse
	if !errors.As(err, &said) || said.Code == "" {
		return fmt.Errorf("%w: the object store can't be reached, or was too slow", mailbox.ErrBusy)
	}
	if said.Code == minio.NoSuchKey {
		return errNoObject
	}
	return fmt.Errorf("%w: the object store says %s", mailbox.ErrBusy, said.Code)
}

// TryObjects writes an object of 128 KiB, reads a range of it, and removes it: what a
// relay needs to be able to. The error says what it could not.
func TryObjects(ctx context.Context, options ObjectOptions) error {
	o, err := newObjectStore(options)
	if err != nil {
		return err
	}
	name, probe := "try/"+strings.ToLower(rand.Text()), strings.Repeat("restante", 16<<10)
	limited, cancel := context.WithTimeout(ctx, objectTimeout)
	defer cancel()
	if err := o.put(limited, name, strings.NewReader(probe), int64(len(probe))); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	part := make([]byte, 8)
	err = o.get(ctx, name, part, chunkSize)
	if err == nil && string(part) != probe[:len(part)] {
		err = errors.New("a range of an object came back wrong")
	}
	if err != nil {
		err = fmt.Errorf("read: %w", err)
	}
	if gone := o.remove(ctx, name); gone != nil {
		err = errors.Join(err, fmt.Errorf("remove: %w", gone))
	}
	return err
}

const (
	queryObjects    = `SELECT objects FROM meta`
	querySetObjects = `UPDATE meta SET objects = $1 WHERE objects = ''`
)

// openObjects finds out what the names of the database's objects begin with. The first
// node chooses at random: two databases never have names in common, also if one is a
// copy of the other.
func (e *postgres) openObjects(ctx context.Context) error {
	q := querier{ctx, e.s.writer.on}
	if e.objects != nil {
		if _, err := q.exec(querySetObjects, strings.ToLower(rand.Text())); err != nil {
			return err
		}
	}
	var prefix string
	if _, err := q.one(queryObjects, []any{&prefix}); err != nil {
		return err
	}
	if e.objects != nil {
		e.objects.prefix = prefix
		return nil
	}
	if prefix != "" {
		return errors.New("large bodies of this store are in an object store: name it in the configuration, under [s3]; " +
			"the way back is `restante migrate` to an SQLite store")
	}
	return nil
}
