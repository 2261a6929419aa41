package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// accounts is what the account commands can do. It is done on the store itself,
// or by the running relay through its admin socket.
type accounts interface {
	do(ctx context.Context, r adminRequest) (adminReply, error)
}

// adminRequest asks for one operation. Ref is an address, a local part or a
// short id; an empty password asks for a generated one.
type adminRequest struct {
	Op       adminOp
	Ref      string `json:",omitempty"`
	Old      string `json:",omitempty"` // password or recovery code
	Password string `json:",omitempty"`
	NewKeys  bool   `json:",omitempty"` // with a new password
	Alias    string `json:",omitempty"` // an address, or a local part

	For time.Duration `json:",omitempty"` // how long to debug

	Addresses bool `json:",omitempty"` // show them
	Limit     int  `json:",omitempty"` // of a list
}

// adminOp names an operation.
type adminOp string

const (
	opNew     adminOp = "new"
	opList    adminOp = "list"
	opShow    adminOp = "show"
	opPasswd  adminOp = "passwd"
	opReset   adminOp = "reset"
	opEnable  adminOp = "enable"
	opDisable adminOp = "disable"
	opRemove  adminOp = "remove"
	opRotate  adminOp = "rotate"

	opDebug       adminOp = "debug"
	opAliasAdd    adminOp = "alias add"
	opAliasRemove adminOp = "alias remove"
)

// adminReply is the outcome of an operation.
type adminReply struct {
	Accounts   []accountView `json:",omitempty"`
	Secret     string        `json:",omitempty"`
	Recovery   string        `json:",omitempty"`
	Unreadable int64         `json:",omitempty"`
	Text       string        `json:",omitempty"` // to print as it is
	Measures   []measure     `json:",omitempty"` // of a relay that runs
	Error      string        `json:",omitempty"` // through the socket only
}

// accountView is an account as the operator sees it.
type accountView struct {
	ID        string
	Addresses []string
	State     string
	Created   string // day
	Used      mailbox.Quota
	Quota     mailbox.Quota
	Terms     string          `json:",omitempty"` // of show
	Outlook   mailbox.Outlook `json:",omitzero"`  // of show
	Keys      uint32          // their generation
	NewKeys   bool            `json:",omitempty"` // at the next login
}

// direct does the operations with a service on the store.
type direct struct {
	service *mailbox.Service
	domain  string
}

func (d direct) do(ctx context.Context, r adminRequest) (adminReply, error) {
	switch r.Op {
	case opNew:
		return d.create(ctx, r)
	case opList:
		return d.list(ctx)
	case opQueueList, opQueueShow, opQueueWhy, opQueueRetry, opQueueDrop:
		return d.onQueue(ctx, r)
	case opStatus:
		return d.status(ctx, nil)
	}
	info, err := d.service.FindAccount(ctx, r.Ref)
	if err != nil {
		return adminReply{}, explain(err, r.Ref)
	}
	reply, err := d.doOne(ctx, r, info)
	return reply, explain(err, r.Ref)
}

// doOne does the operations on one account that exists.
func (d direct) doOne(ctx context.Context, r adminRequest, info mailbox.AccountInfo) (adminReply, error) {
	reply := adminReply{Accounts: []accountView{viewOf(info)}}
	var err error
	switch r.Op {
	case opShow:
		v := &reply.Accounts[0]
		v.Terms = d.service.Terms().String()
		v.Outlook, err = d.service.Outlook(ctx, info.ID)
	case opPasswd:
		set := d.service.SetPassword
		if r.NewKeys {
			set = d.service.SetPasswordAndKeys
		}
		reply.Secret, err = set(ctx, info.ID, r.Old, r.Password)
	case opRotate:
		err = d.service.RequestRotation(ctx, info.ID)
	case opReset:
		var c mailbox.Created
		c, reply.Unreadable, err = d.service.ResetAccount(ctx, info.ID, r.Password)
		reply.Secret, reply.Recovery = c.Secret, c.Recovery
	case opEnable:
		err = d.service.SetState(ctx, info.ID, mailbox.Active)
	case opDisable:
		err = d.service.SetState(ctx, info.ID, mailbox.Disabled)
	case opRemove:
		err = d.service.RemoveAccount(ctx, info.ID)
	case opDebug:
		err = d.service.Debug(ctx, info.ID, r.For)
	case opAliasAdd, opAliasRemove:
		return d.alias(ctx, r, info)
	default:
		err = fmt.Errorf("the relay does not know the operation %q: restart it with this version of restante", r.Op)
	}
	return reply, err
}

func (d direct) create(ctx context.Context, r adminRequest) (adminReply, error) {
	a, err := d.newAddress(r.Ref)
	if err != nil {
		return adminReply{}, err
	}
	c, err := d.service.CreateAccount(ctx, a, mailbox.NewAccountOptions{Password: r.Password, ByOperator: true})
	if err != nil {
		return adminReply{}, explain(err, a.String())
	}
	view := accountView{ID: c.Account.String(), Addresses: []string{c.Address.String()}}
	return adminReply{Accounts: []accountView{view}, Secret: c.Secret, Recovery: c.Recovery}, nil
}

// newAddress makes the address of a new account from what the operator gave: a
// local part, a whole address at our domain, or nothing for a random name.
func (d direct) newAddress(name string) (addr.Address, error) {
	if name == "" {
		name = addr.NewLocal(nil)
	}
	a, err := addr.Parse(name)
	if err != nil {
		a, err = addr.Parse(name + "@" + d.domain)
	}
	if err != nil {
		return addr.Address{}, err
	}
	if a.Domain() != d.domain {
		return addr.Address{}, fmt.Errorf("%s is not at %s, the domain of this relay", a, d.domain)
	}
	return a, addr.ValidLocal(a.Local())
}

func (d direct) list(ctx context.Context) (adminReply, error) {
	var reply adminReply
	err := d.service.Accounts(ctx, func(info mailbox.AccountInfo) error {
		reply.Accounts = append(reply.Accounts, viewOf(info))
		return nil
	})
	return reply, err
}

func viewOf(info mailbox.AccountInfo) accountView {
	v := accountView{
		ID: info.ID.String(), State: info.State.String(), Created: dayString(info.Created),
		Used: info.Used, Quota: info.Quota, Keys: info.Key.Generation, NewKeys: info.RotateDue,
	}
	for _, a := range info.Addresses {
		v.Addresses = append(v.Addresses, a.String())
	}
	return v
}

// explain turns an outcome of the domain into a sentence that says what to do.
func explain(err error, ref string) error {
	switch {
	case errors.Is(err, mailbox.ErrNoAccount):
		return fmt.Errorf("there is no account %q: `restante account list --addresses` shows those there are", ref)
	case errors.Is(err, mailbox.ErrExists):
		return fmt.Errorf("%s is taken: choose another name, or give none for a random one", ref)
	case errors.Is(err, mailbox.ErrAuth):
		return errors.New("that is neither the account's password nor its recovery code: if both are lost, --reset makes new keys")
	}
	return err
}
