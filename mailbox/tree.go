package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/restante/restante/mailbox/seal"
)

// Folder is a name in the account's mailbox tree, as its owner knows it. Levels
// of the hierarchy are separated by '/'.
type Folder struct {
	Name       string
	ID         MailboxID // 0: subscribed, but there is no such mailbox
	Use        SpecialUse
	Subscribed bool
	Mailbox    Mailbox // its row, unless ID is 0
}

// Folders lists all mailboxes and subscriptions, INBOX first, the others by name.
// A mailbox whose name is damaged goes by a name made of its id.
func (x *Session) Folders(ctx context.Context) ([]Folder, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	list, err := own.mailboxes(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := x.coverMailbox(ctx, &list[i].Mailbox); err != nil {
			return nil, err
		}
	}
	rows, err := own.svc.store.Subscriptions(ctx, own.id)
	if err != nil {
		return nil, fmt.Errorf("list subscriptions: %w", err)
	}
	for _, n := range rows {
		name, err := own.openName(n)
		if err != nil {
			own.svc.log.Error("subscription does not open", "account", own.id, "error", err)
			continue
		}
		list = subscribed(list, name)
	}
	slices.SortFunc(list, func(a, b Folder) int { return inOrder(a.Name, b.Name) })
	return list, nil
}

// subscribed marks the name in the list, or adds it.
func subscribed(list []Folder, name string) []Folder {
	if i := index(list, name); i >= 0 {
		list[i].Subscribed = true
		return list
	}
	return append(list, Folder{Name: name, Subscribed: true})
}

func index(list []Folder, name string) int {
	return slices.IndexFunc(list, func(f Folder) bool { return f.Name == name })
}

// Folder finds a mailbox by name, or ErrNoMailbox. INBOX is found in any case,
// also as the first level of a longer name (RFC 9051, 5.1). It doesn't tell
// whether the name is subscribed.
func (x *Session) Folder(ctx context.Context, name string) (Folder, error) {
	own, err := x.use()
	if err != nil {
		return Folder{}, err
	}
	if strings.EqualFold(name, inboxName) {
		return own.inbox(ctx)
	}
	list, err := own.mailboxes(ctx)
	if err != nil {
		return Folder{}, err
	}
	return find(list, name)
}

// inbox is the mailbox that is looked for most. Its name takes no opening.
func (own *owner) inbox(ctx context.Context) (Folder, error) {
	m, err := own.svc.store.Mailbox(ctx, own.id, Inbox)
	if err != nil {
		return Folder{}, fmt.Errorf("read mailbox: %w", err)
	}
	return Folder{Name: inboxName, ID: m.ID, Use: m.Use, Mailbox: m}, nil
}

// find returns the mailbox of that name in any spelling that means it.
func find(list []Folder, name string) (Folder, error) {
	clean, err := cleanName(name)
	if err != nil {
		return Folder{}, ErrNoMailbox // what can't be a name is no mailbox's
	}
	if i := index(list, clean); i >= 0 {
		return list[i], nil
	}
	return Folder{}, ErrNoMailbox
}

// Status returns the row of a mailbox as it is now, or ErrNoMailbox.
func (x *Session) Status(ctx context.Context, name string) (Mailbox, error) {
	f, err := x.Folder(ctx, name)
	if err == nil {
		err = x.coverMailbox(ctx, &f.Mailbox)
	}
	return f.Mailbox, err
}

// mailboxes lists the mailboxes by id, with their names opened.
func (own *owner) mailboxes(ctx context.Context) ([]Folder, error) {
	rows, err := own.svc.store.Mailboxes(ctx, own.id)
	if err != nil {
		return nil, fmt.Errorf("list mailboxes: %w", err)
	}
	list := make([]Folder, 0, len(rows)+1)
	for _, m := range rows {
		list = append(list, Folder{Name: own.nameOf(m), ID: m.ID, Use: m.Use, Mailbox: m})
	}
	return list, nil
}

// nameOf opens a mailbox's name. If it is damaged the mail in the mailbox need not
// be, so it stays within reach: under a name that its owner can change.
func (own *owner) nameOf(m Mailbox) string {
	if m.ID == Inbox {
		return inboxName
	}
	name, err := own.openName(m.Name)
	if err != nil {
		own.svc.log.Error("mailbox name does not open", "account", own.id, "mailbox", int64(m.ID), "error", err)
		return "damaged-" + strconv.FormatInt(int64(m.ID), 10)
	}
	return name
}

func (own *owner) openName(n SealedName) (string, error) {
	return openName(own.keys, n)
}

func openName(keys *seal.Keys, n SealedName) (string, error) {
	if len(n.MAC) != len(seal.NameMAC{}) {
		return "", fmt.Errorf("%w: name MAC of %d bytes", ErrCorrupt, len(n.MAC))
	}
	return keys.OpenName(seal.NameMAC(n.MAC), n.Sealed)
}

func sealName(keys *seal.Keys, name string) SealedName {
	mac := keys.NameMAC(name)
	return SealedName{MAC: mac[:], Sealed: keys.SealName(name), Generation: keys.Owner().Generation}
}

// Create makes a mailbox; a '/' at the end of the name is ignored. Names above it
// need not exist. Errors: ErrName; ErrExists, also when there is a mailbox for that
// use already; ErrLimit.
func (x *Session) Create(ctx context.Context, name string, use SpecialUse) (Mailbox, error) {
	own, err := x.use()
	if err != nil {
		return Mailbox{}, err
	}
	clean, err := cleanName(strings.TrimSuffix(name, "/"))
	if err != nil {
		return Mailbox{}, err
	}
	return own.create(ctx, clean, use)
}

func (own *owner) create(ctx context.Context, clean string, use SpecialUse) (Mailbox, error) {
	if clean == inboxName {
		return Mailbox{}, ErrExists
	}
	if clean == ownMailbox && use == NoUse {
		use = UseRestante
	}
	m, err := own.svc.store.CreateMailbox(ctx, own.id, own.svc.newMailbox(own.keys, clean, use), own.svc.o.Limits.Mailboxes)
	if errors.Is(err, ErrExists) && use == UseRestante { // another one was this before it was renamed
		m, err = own.svc.store.CreateMailbox(ctx, own.id, own.svc.newMailbox(own.keys, clean, NoUse), own.svc.o.Limits.Mailboxes)
	}
	if err != nil {
		return Mailbox{}, fmt.Errorf("create mailbox: %w", err)
	}
	return m, nil
}

// Delete removes a mailbox and its messages. Mailboxes below it stay. Errors:
// ErrNoMailbox, ErrInbox, and ErrMayNot for a device that may not expunge.
func (x *Session) Delete(ctx context.Context, name string) error {
	own, err := x.use()
	if err != nil {
		return err
	}
	if x.Keeps() {
		return ErrMayNot
	}
	f, err := x.Folder(ctx, name)
	if err != nil {
		return err
	}
	if f.ID == Inbox {
		return ErrInbox
	}
	if err := own.svc.deleteMailbox(ctx, own.id, f.ID); err != nil {
		return fmt.Errorf("delete mailbox: %w", err)
	}
	return nil
}

// Rename gives a mailbox and all below it a new name. Renaming INBOX makes a new
// mailbox and moves the messages of INBOX into it (RFC 9051, 6.3.6). Errors:
// ErrNoMailbox, ErrExists, ErrName; and those of Copy for INBOX.
func (x *Session) Rename(ctx context.Context, from, to string) error {
	own, err := x.use()
	if err != nil {
		return err
	}
	target, err := cleanName(strings.TrimSuffix(to, "/"))
	if err != nil {
		return err
	}
	list, err := own.mailboxes(ctx)
	if err != nil {
		return err
	}
	f, err := find(list, from)
	if err != nil {
		return err
	}
	if f.ID == Inbox {
		return x.renameInbox(ctx, list, target)
	}
	names, err := own.renames(list, f, target)
	if err != nil {
		return err
	}
	if err := own.svc.store.RenameMailboxes(ctx, own.id, names); err != nil {
		return fmt.Errorf("rename mailbox: %w", err)
	}
	return nil
}

// renames lists the new names of f and of the mailboxes below it.
func (own *owner) renames(list []Folder, f Folder, target string) ([]Rename, error) {
	if _, inside := below(target, f.Name); inside {
		return nil, fmt.Errorf("%w: a mailbox can't move below itself", ErrName)
	}
	var names []Rename
	for _, g := range list {
		name := target
		if g.ID != f.ID {
			rest, ok := below(g.Name, f.Name)
			if !ok {
				continue
			}
			name = target + "/" + rest
		}
		if _, err := cleanName(name); err != nil {
			return nil, err // it has become too long
		}
		if index(list, name) >= 0 {
			return nil, ErrExists
		}
		names = append(names, Rename{ID: g.ID, Name: sealName(own.keys, name)})
	}
	return names, nil
}

// renameInbox leaves INBOX where it is, and empty; the mailboxes below it stay.
func (x *Session) renameInbox(ctx context.Context, list []Folder, target string) error {
	if index(list, target) >= 0 {
		return ErrExists
	}
	m, err := x.own.create(ctx, target, NoUse)
	if err != nil {
		return err
	}
	if _, err = x.Copy(ctx, CopyRequest{From: Inbox, To: m.ID, Set: AllUIDs(), Move: true}); err != nil {
		return fmt.Errorf("move messages out of INBOX: %w", err)
	}
	return nil
}

// Subscribe adds or removes a subscription, of a name that need not exist.
// Errors: ErrName, ErrLimit.
func (x *Session) Subscribe(ctx context.Context, name string, on bool) error {
	own, err := x.use()
	if err != nil {
		return err
	}
	clean, err := cleanName(strings.TrimSuffix(name, "/"))
	if err != nil {
		return err
	}
	if err := own.svc.store.SetSubscription(ctx, own.id, sealName(own.keys, clean), on, own.svc.o.Limits.Subscriptions); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}
