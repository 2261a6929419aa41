// Package config reads the relay's configuration: one TOML file into one
// struct. The comments on the fields are the manual; config.example.toml at the
// root of the repository is made from them.
//
// Every setting but domain has a default that is safe on the open internet. A
// key that is not known is a fault, as a misspelt limit would be no limit; the
// fault names the nearest key there is. All faults of a file are reported at
// once, each as a [Fault] with its key and what to write instead.
//
// The file holds no secrets. Those are in files of their own, which it names.
//
// A setting that is renamed or removed gets a line in the table of outdated.go: for one
// release it works with a warning, then it is a fault that names what to write instead.
//
// A new setting needs a field with a toml tag and a comment, its default in
// Default, its bounds in Check, and "go test -update" to put it into the
// example.
package config

import "net/netip"

// A Config is the content of the configuration file.
type Config struct {
	// The mail domain: what follows the @ in the addresses of this relay. This
	// is the one setting that has no default.
	Domain string `toml:"domain"`

	// The name under which clients and other relays reach this machine: the name
	// that the MX record has and that the certificate is for. Empty means the
	// domain itself.
	Hostname string `toml:"hostname"`

	// The name of an onion service that leads to the ports of this relay, such as
	// "abc….onion", if there is one. Connections from this machine are then taken
	// for those of many. A domain that ends in .onion is its own.
	Onion string `toml:"onion"`

	// The folder for everything that the relay keeps. It is made with access
	// for the relay's user alone.
	DataDir string `toml:"data_dir"`

	// Where accounts and mail are kept. Empty means restante.db in data_dir;
	// "sqlite:/path/mail.db" is an SQLite file elsewhere, which must be on a local
	// disk; "postgres://user@host/database" is a PostgreSQL server, for relays
	// of several nodes. Of several hosts, "postgres://user@one,two/database", the
	// one that can be written to is used. A server on another machine must prove
	// its name by a certificate, unless the URL says otherwise with sslmode.
	Store string `toml:"store"`

	// The file that holds the password for a PostgreSQL store. Empty means that
	// the server asks for none.
	StorePasswordFile string `toml:"store_password_file"`

	// Whether to use a PostgreSQL server only while it confirms nothing that a
	// standby does not have yet (synchronous_standby_names). Then no mail is lost
	// when a standby takes over; promote only one that is synchronous. Without it
	// the last mail may be lost, and every client fetches its mailboxes anew.
	RequireSync bool `toml:"require_sync"`

	// A NATS server by which the nodes of a PostgreSQL store tell each other of
	// changes, "tls://host:4222", and a file with the credentials for it. Empty means
	// that the database does that, which is enough for some thousand messages a
	// second. Nothing is kept there, and nothing is lost with it but time: a client
	// that waits is told within half a minute.
	HintBus            string `toml:"hint_bus"`
	HintBusCredentials string `toml:"hint_bus_credentials"`

	// The file of the relay key, which seals the address directory and the mail
	// queue. Empty means relay.key in data_dir, where a stolen disk has both;
	// "credential:NAME" is a credential that systemd hands over
	// (LoadCredential= or LoadCredentialEncrypted=). It must be the same on
	// every node.
	RelayKeyFile string `toml:"relay_key_file"`

	// The socket through which the operator's commands reach the running relay.
	// Empty means admin.sock in data_dir.
	AdminSocket string `toml:"admin_socket"`

	// The ports. An empty address switches a port off. ":993" is this port on all
	// addresses of the machine, "192.0.2.1:993" and "[2001:db8::1]:993" are on
	// one of them.
	//
	// network says what the address of a client is worth, for limits per
	// network; none is ever stored or logged. "ip": it is the client's own.
	// "proxy": connections come from trusted_proxies, a list of addresses and
	// prefixes such as "10.0.0.0/8", and begin with a PROXY protocol header.
	// "shared": all clients have one address, as behind an onion service.
	Listen Listen `toml:"listen"`

	// The certificate.
	TLS TLS `toml:"tls"`

	// The limits that keep one peer from using up what others need.
	// Sizes are bytes, or have a unit: "64KB", "30MB", "1GB", which count by
	// 1024. Durations have units too: "30s", "5m", "24h".
	Limits Limits `toml:"limits"`

	// What mail the relay takes.
	Policy Policy `toml:"policy"`

	// Who can get an address.
	Signup Signup `toml:"signup"`

	// How much an account may keep.
	Quota Quota `toml:"quota"`

	// How long mail and accounts stay. Days count from when a message came into
	// its mailbox; 0 days are for ever. Drafts, Archive and mailboxes that users
	// made are never emptied by age, and flagged mail never goes by it. Above 75 %
	// of its quota an account loses its oldest mail until 70 % are used, flagged
	// mail last.
	Expiry Expiry `toml:"expiry"`

	// How names are looked up, for mail from and to other relays.
	DNS DNS `toml:"dns"`

	// Mail to other relays.
	Queue Queue `toml:"queue"`

	// Push messages, which wake phones when mail comes.
	Push Push `toml:"push"`

	// What the relay can still open once it runs.
	Confine Confine `toml:"confine"`

	// Bodies of more than 64 KB in an object store that speaks S3, beside a PostgreSQL
	// store. It gets sealed bytes under names without meaning. While it can't be
	// reached, large mail is put off and small mail taken.
	S3 S3 `toml:"s3"`

	// The log, which goes to standard error.
	Log Log `toml:"log"`
}

// Confine says what a relay that runs can open.
type Confine struct {
	// Whether the relay gives up all files but its own once every port listens: it can
	// then write to data_dir, to the store's folder and to the folders below, and read
	// /etc and the folders of the files that this configuration names; nothing else,
	// even if somebody gets it under control. Linux 5.19 and later can do that
	// (Landlock); elsewhere it has no effect.
	Enabled bool `toml:"enabled"`

	// Further folders that it can write to: those of backups that are made while it
	// runs. They must be there when it starts, and systemd has to allow them too
	// (ReadWritePaths=; its unit has the one that stands here).
	Folders []string `toml:"folders"`
}

func (c *Config) checkConfine(k *checker) {
	for _, folder := range c.Confine.Folders {
		k.absolute("confine.folders", folder)
	}
}

// Listen has the ports of the relay.
type Listen struct {
	// Whether the https port takes mail clients too, for networks that let nothing else
	// through: those that ask for imap or smtp by ALPN, or for the name imap or smtp
	// below the domain.
	Shared bool `toml:"shared_https"`

	// Submission of mail, TLS from the first byte (RFC 8314).
	SMTPS Listener `toml:"smtps"`

	// Submission of mail with STARTTLS (RFC 6409).
	Submission Listener `toml:"submission"`

	// Mail from other relays.
	MX Listener `toml:"mx"`

	// IMAP, TLS from the first byte (RFC 8314).
	IMAPS Listener `toml:"imaps"`

	// IMAP with STARTTLS.
	IMAP Listener `toml:"imap"`

	// The pages on which people get an address and look after it, and what mail
	// programs ask for to set themselves up.
	HTTPS Listener `toml:"https"`

	// The same without TLS, behind an onion service or a proxy that has it. Off
	// unless it has an address, and then network must be "shared" or "proxy".
	HTTP Listener `toml:"http"`

	// Where Prometheus reads figures (/metrics) and others whether the relay is well
	// (/healthz, /readyz). There is no login, so the address is a private one, such as
	// "127.0.0.1:9600"; no identity is in any figure. Off unless it has an address.
	Metrics Listener `toml:"metrics"`

	// Where a public authority looks for its proof: port 80, as it sees this
	// machine. Everything else that asks there is led to https. Used only with
	// tls.acme.directory; without an address the proof is given on https alone.
	ACME Listener `toml:"acme"`
}

// A Listener is one port.
type Listener struct {
	Address        string         `toml:"address"`
	Network        string         `toml:"network"`
	TrustedProxies []netip.Prefix `toml:"trusted_proxies"`
}

// TLS says where the certificate comes from.
type TLS struct {
	// The certificate chain and its key, as PEM files. New ones are taken up
	// within a minute, without a restart. With both empty, the relay is
	// certified by an authority of its own in data_dir/tls, and clients have
	// to be told to trust data_dir/tls/ca.pem.
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`

	// Certificates of a public authority, which are renewed without anybody's
	// doing. With a directory, cert_file and key_file stay empty.
	ACME ACME `toml:"acme"`
}

// ACME says which public authority certifies the relay.
type ACME struct {
	// The address of the authority's directory (RFC 8555), such as
	// "https://acme-v02.api.letsencrypt.org/directory". Whoever sets it agrees to
	// the authority's terms. Empty means no public authority. It certifies hostname,
	// and autoconfig, mta-sts and openpgpkey below the domain, each by itself: a name
	// that does not lead to this machine yet is tried every hour.
	Directory string `toml:"directory"`

	// The file with the certificates, in PEM, that certify the authority's own
	// server. Empty means those of the system.
	RootFile string `toml:"root_file"`
}

// Limits bound what one message, connection, network or account can take.
type Limits struct {
	// The largest message, at submission, from other relays and at IMAP APPEND.
	// A file that a client attaches is up to half again as large on the wire.
	MessageSize Size `toml:"message_size"`

	// The most recipients of one message.
	Recipients int `toml:"recipients"`

	// The longest line in SMTP, commands and message text alike.
	SMTPLineLength Size `toml:"smtp_line_length"`

	// The largest IMAP command, its lines and literals together, but for the
	// message of an APPEND. Clients name many messages in one line.
	IMAPCommandSize Size `toml:"imap_command_size"`

	// How many commands a second one connection can give, on average. A faster
	// IMAP client is held back; one that goes on and on in SMTP without a message
	// is told to come back later.
	CommandRate int `toml:"command_rate"`

	// The most open connections on each port.
	Connections int `toml:"connections"`

	// The most open connections on each port from one network: from 256 IPv4
	// addresses, or from one /48 of IPv6.
	ConnectionsPerNetwork int `toml:"connections_per_network"`

	// The most messages a minute that other relays can bring: from one network, as
	// above, and in the name of one domain with all below it.
	MailsPerNetwork int `toml:"mails_per_network"`
	MailsPerDomain  int `toml:"mails_per_domain"`

	// The most open IMAP connections of one account, over all its devices.
	ConnectionsPerAccount int `toml:"connections_per_account"`

	// How often a client can fail to log in before its connection is closed.
	AuthAttempts int `toml:"auth_attempts"`

	// How long a client may take for the TLS handshake.
	HandshakeTimeout Duration `toml:"handshake_timeout"`

	// How long an SMTP client may be silent between commands.
	SMTPIdleTimeout Duration `toml:"smtp_idle_timeout"`

	// How long an IMAP client may be silent, in IDLE as well. RFC 9051 asks for
	// 30 minutes at least.
	IMAPIdleTimeout Duration `toml:"imap_idle_timeout"`

	// How long the keys of an account stay in memory after its last session, for
	// the next one.
	KeyLinger Duration `toml:"key_linger"`

	// How long a message on its way in or out may make no progress. There is no
	// limit for the whole of it: slow links are as good as fast ones.
	ProgressTimeout Duration `toml:"progress_timeout"`

	// How long connections may go on when the relay stops.
	StopTimeout Duration `toml:"stop_timeout"`

	// What is kept back of the disk beside an SQLite store, for deletions when it is
	// full. 0 keeps nothing back.
	DiskReserve Size `toml:"disk_reserve"`
}

// Policy says what mail the relay takes.
type Policy struct {
	// What may be submitted, and come from other relays. "required": all mail is
	// OpenPGP encrypted. "inbound-optional": owners can choose, for each of their
	// addresses, to take mail from other relays in clear; the relay sees it while
	// it arrives, and encrypts it to the owner's published key.
	Encryption string `toml:"encryption"`

	// What mail from other relays must prove, so that nobody can write in another's
	// name. "dkim": a DKIM signature of the domain in its From field, or of one of
	// the same organization. "dmarc": that, or SPF; looking it up tells the DNS
	// resolver where the mail comes from. "off": nothing, which is possible while
	// listen.mx is on a loopback address, for tests.
	InboundAuth string `toml:"inbound_auth"`

	// Whether to tell clients that they can log in by SCRAM-SHA-256-PLUS, which finds
	// out who stands between them and the relay. It is taken in any case; told of it,
	// some clients choose it and fail, such as NeoMutt of Debian 12.
	OfferChannelBinding bool `toml:"offer_channel_binding"`

	// The account that gets mail for postmaster and abuse, such as
	// "anna@example.org". Other servers expect somebody there. Empty refuses such
	// mail.
	Operator string `toml:"operator"`

	// Whether mail for postmaster and abuse may come from other relays in clear.
	// Nobody else can get such mail.
	OperatorCleartext bool `toml:"operator_cleartext"`

	// What clients may put into their mailboxes by IMAP APPEND. "encrypted" is
	// the rule of encryption; "any" lets them keep plain drafts and old mail,
	// which the relay then sees once, before it seals it.
	Append string `toml:"append"`

	// What other relays are told of TLS on the way here (MTA-STS): "enforce" asks
	// them not to deliver without a good certificate, "testing" to deliver all the
	// same and report, "none" says nothing. It takes effect with the DNS records
	// that "restante dns" prints, and needs a certificate that the world trusts.
	MTASTS string `toml:"mta_sts"`
}

// Signup says who can get an address without the operator.
type Signup struct {
	// "open": everybody, on the page, at /new, and by logging in under a name that
	// is free. "token": whoever has a token that the operator gave out. "closed":
	// nobody.
	Policy string `toml:"policy"`

	// The file with the public keys, in PEM, that tokens are signed with.
	TokenKeys string `toml:"token_keys"`
}

// Quota is what an account may keep.
type Quota struct {
	// All messages together, as they are stored. A message that does not fit is
	// refused.
	Bytes Size `toml:"bytes"`

	// The number of messages.
	Messages int `toml:"messages"`
}

// Expiry says how long mail and accounts stay.
type Expiry struct {
	// The days of mail, by the role of its mailbox.
	InboxDays int `toml:"inbox_days"`
	SentDays  int `toml:"sent_days"`
	TrashDays int `toml:"trash_days"`
	JunkDays  int `toml:"junk_days"`

	// The days of mail of large_size and more in the same mailboxes, if they are
	// fewer.
	LargeDays int  `toml:"large_days"`
	LargeSize Size `toml:"large_size"`

	// The days after which an account that nobody uses is removed with all its
	// mail. A client that stays connected uses it. Its owner is reminded 14 and 3
	// days before.
	IdleDays int `toml:"idle_days"`

	// The days instead of idle_days, if they are more, of an account in which a
	// gateway keeps its backup: somebody may come back with his recovery sheet
	// after a loss.
	BackupIdleDays int `toml:"backup_idle_days"`
}

// Log says what goes to the log. No level shows addresses, subjects or keys.
type Log struct {
	// The least that is logged: "error" for what needs the operator, "warn" for
	// peers and limits as well, "info" for start, stop and counts too, "debug"
	// for each session.
	Level string `toml:"level"`

	// "text", or "json" for machines.
	Format string `toml:"format"`
}
