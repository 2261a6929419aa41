package config

import "net/url"

// S3 says where large bodies of a PostgreSQL store are.
type S3 struct {
	// The bucket, which must be there already. Empty keeps them in the database. Once
	// one has been used, the relay needs it; the way back is "restante migrate" to an
	// SQLite store.
	Bucket string `toml:"bucket"`

	// The server, "https://s3.example.org".
	Endpoint string `toml:"endpoint"`

	// The region that requests are signed for. Most servers but Amazon's take any.
	Region string `toml:"region"`

	// The file with the key, as Amazon's tools have it: below a line [default], the
	// lines aws_access_key_id = … and aws_secret_access_key = ….
	CredentialsFile string `toml:"credentials_file"`
}

// checkS3 asks for TLS on the way to another machine: a request is signed, but who
// sees it sees which bodies are read, and when.
func (c *Config) checkS3(k *checker) {
	if c.S3.Bucket == "" {
		return
	}
	u, err := url.Parse(c.S3.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" && u.Path != "/":
		k.fault("s3.endpoint", `write "https://host"`)
	case u.User != nil:
		k.fault("s3.endpoint", "take out the key and write a file that s3.credentials_file names")
	case u.Scheme == "http" && !onThisMachine(u.Hostname()):
		k.fault("s3.endpoint", `write "https://%s": others could see which bodies are read`, u.Host)
	}
	if c.S3.CredentialsFile == "" {
		k.fault("s3.credentials_file", "name the file with the key of the bucket")
		return
	}
	k.absolute("s3.credentials_file", c.S3.CredentialsFile)
}
