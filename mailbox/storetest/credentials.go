package storetest

import (
	"bytes"

	"github.com/restante/restante/mailbox"
)

var credentialCases = []testCase{
	{"credentials/list", credentialsList},
	{"credentials/replace", credentialsReplace},
	{"credentials/taken", credentialsTaken},
	{"credentials/lost race", credentialsLostRace},
	{"credentials/new key", credentialsNewKey},
	{"credentials/companion", credentialsCompanion},
}

func credential(id mailbox.CredentialID, kind mailbox.CredentialKind) mailbox.Credential {
	c := mailbox.Credential{ID: id, Kind: kind, KDF: []byte("kdf"), Verifier: []byte("verifier"),
		Wrapped: []byte("wrapped"), Label: []byte("label"), Created: today}
	if kind != mailbox.ChosenPassword {
		c.Selector = "selector"
	}
	return c
}

// withCredentials makes alice's account with a main secret and a recovery code.
func (e *env) withCredentials() (secret, recovery mailbox.Credential) {
	e.Helper()
	secret, recovery = credential(10, mailbox.MainSecret), credential(11, mailbox.RecoveryCode)
	recovery.Label = nil
	n := newAccount(alice)
	n.Credentials = []mailbox.Credential{secret, recovery}
	e.must(e.s.CreateAccount(e.ctx, n))
	return secret, recovery
}

func (e *env) wantCredentials(want ...mailbox.Credential) {
	e.Helper()
	got, err := e.s.Credentials(e.ctx, alice)
	e.must(err)
	equal(e, "credentials", got, want)
}

func credentialsList(e *env) {
	secret, recovery := e.withCredentials()
	e.wantCredentials(secret, recovery)
	e.account(bob)
	got, err := e.s.Credentials(e.ctx, bob)
	e.must(err)
	if len(got) != 0 {
		e.Errorf("bob has %d credentials of alice", len(got))
	}
}

func credentialsReplace(e *env) {
	secret, recovery := e.withCredentials()
	chosen := credential(12, mailbox.ChosenPassword)
	e.must(e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{secret.ID}, []mailbox.Credential{chosen}, nil))
	e.wantCredentials(recovery, chosen)
	if got := e.getAccount(alice).Key; got.Generation != 1 {
		e.Errorf("got key generation %d, want the old one", got.Generation)
	}
	next := credential(13, mailbox.ChosenPassword) // at most one at a time: the old goes first
	e.must(e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{chosen.ID}, []mailbox.Credential{next}, nil))
	e.wantCredentials(recovery, next)
}

func credentialsTaken(e *env) {
	secret, recovery := e.withCredentials()
	chosen := credential(12, mailbox.ChosenPassword)
	e.must(e.s.ReplaceCredentials(e.ctx, alice, nil, []mailbox.Credential{chosen}, nil))
	for name, c := range map[string]mailbox.Credential{
		"same id":                credential(recovery.ID, mailbox.DeviceSecret),
		"second chosen password": credential(14, mailbox.ChosenPassword),
	} {
		err := e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{secret.ID}, []mailbox.Credential{c}, nil)
		e.wantErr(err, mailbox.ErrExists)
		e.Log(name)
		e.wantCredentials(secret, recovery, chosen)
	}
}

func credentialsLostRace(e *env) {
	secret, recovery := e.withCredentials()
	next := credential(12, mailbox.MainSecret)
	err := e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{secret.ID, 99}, []mailbox.Credential{next}, nil)
	e.wantErr(err, mailbox.ErrGone)
	e.wantCredentials(secret, recovery)
}

func credentialsNewKey(e *env) {
	secret, recovery := e.withCredentials()
	next := credential(12, mailbox.MainSecret)
	add := []mailbox.Credential{next}
	before := e.lookUp(alice)
	entry := mailbox.Address{MAC: addressOf(alice).MAC, Entry: []byte("names the new key")}
	key := func(generation uint32, addresses ...mailbox.Address) *mailbox.KeyChange {
		return &mailbox.KeyChange{AccountKey: mailbox.AccountKey{Public: []byte("new"), Generation: generation}, Addresses: addresses}
	}
	for name, k := range map[string]*mailbox.KeyChange{
		"generation 0": key(0, entry), "the same generation": key(1, entry), "a generation left out": key(3, entry),
		"no address": key(2), "another's address": key(2, addressOf(bob)), "an address too many": key(2, entry, addressOf(bob)),
	} {
		e.Log(name)
		e.wantErr(e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{secret.ID}, add, k), mailbox.ErrGone)
	}
	e.wantCredentials(secret, recovery)
	equal(e, "account", e.lookUp(alice), before)

	second := key(2, entry)
	e.must(e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{secret.ID, recovery.ID}, add, second))
	e.wantCredentials(next)
	equal(e, "key", e.getAccount(alice).Key, second.AccountKey)
	equal(e, "entry", e.lookUp(alice).Entry, entry.Entry)
}

// credentialsCompanion: a secret and the SCRAM credential with its selector come and
// go at once, or neither does.
func credentialsCompanion(e *env) {
	secret, recovery := e.withCredentials()
	device, scram := credential(12, mailbox.DeviceSecret), credential(13, mailbox.SCRAMSecret)
	device.Selector, scram.Selector = "both", "both"
	scram.Verifier, scram.Label = bytes.Repeat([]byte{0, 0xff}, 43), nil
	e.must(e.s.ReplaceCredentials(e.ctx, alice, nil, []mailbox.Credential{device, scram}, nil))
	e.wantCredentials(secret, recovery, device, scram)
	err := e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{device.ID, scram.ID, 99}, nil, nil)
	e.wantErr(err, mailbox.ErrGone)
	e.wantCredentials(secret, recovery, device, scram)
	e.must(e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{scram.ID, device.ID}, nil, nil))
	e.wantCredentials(secret, recovery)
}

// lookUp finds an account by its address.
func (e *env) lookUp(id mailbox.AccountID) mailbox.Account {
	e.Helper()
	a, err := e.s.Lookup(e.ctx, addressOf(id).MAC)
	e.must(err)
	return a
}
