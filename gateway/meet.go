package gateway

import (
	"context"

	"github.com/restante/restante/internal/addr"
)

// Invite makes an invitation: to the group of that id, or, if it is empty, to meet the
// user alone. Everybody who follows it within a week is verified.
func (g *Gateway) Invite(ctx context.Context, group string) (Invitation, error) {
	return g.InviteAs(ctx, addr.Address{}, group)
}

// InviteAs is Invite for those who meet the user by an identity apart, whose invitation
// has no name in it. In a group the user has one identity for all. Errors: ErrNoGroup,
// ErrNotOwn, ErrEnded.
func (g *Gateway) InviteAs(_ context.Context, identity addr.Address, group string) (Invitation, error) {
	var x Group
	if group != "" {
		var err error
		if x, err = g.groups.get(group); err != nil {
			return Invitation{}, err
		}
		identity = x.self(g.upstream.Address)
	}
	own, err := g.own.Load().live(identity)
	if err != nil {
		return Invitation{}, err
	}
	name := g.name
	if !own.Address.Equal(g.upstream.Address) {
		name = ""
	}
	i := NewInvitation(own.Address, own.Current.Fingerprint(), name)
	i.Group, i.GroupName = x.ID, x.Name
	return i, g.joins.invite(i)
}

// Withdraw ends an invitation that Invite has made.
func (g *Gateway) Withdraw(_ context.Context, i Invitation) error { return g.joins.withdraw(i.Auth) }

// Accept follows somebody's invitation: it asks them for their key, takes it if it is
// the one that the invitation names, and introduces the user, all by mails that Run
// sends and receives. Joins tells how far that has come. Following an invitation once
// more begins anew, unless it has come to its end. Errors wrap ErrInvitation if the
// text is at fault.
func (g *Gateway) Accept(ctx context.Context, link string) (Join, error) {
	return g.AcceptAs(ctx, addr.Address{}, link)
}

// AcceptAs is Accept by an identity apart: the inviter meets no other. Errors are also
// ErrNotOwn and ErrEnded.
func (g *Gateway) AcceptAs(_ context.Context, identity addr.Address, link string) (Join, error) {
	i, err := ParseInvitation(link)
	if err != nil {
		return Join{}, err
	}
	own, err := g.own.Load().live(identity)
	if err != nil {
		return Join{}, err
	}
	return g.joins.accept(i, own)
}

// AwaitJoin waits until what Accept has begun comes to its end, or ctx ends, and returns
// how far it is then. Run must be at work meanwhile.
func (g *Gateway) AwaitJoin(ctx context.Context, x Join) Join { return g.joins.await(ctx, x) }

// Joins returns the invitations of the last week that the user has followed, the
// oldest first.
func (g *Gateway) Joins() ([]Join, error) { return g.joins.list() }
