package gateway

import "context"

// Invite makes an invitation: to the group of that id, or, if it is empty, to meet the
// user alone. Everybody who follows it within a week is verified.
func (g *Gateway) Invite(_ context.Context, group string) (Invitation, error) {
	i := NewInvitation(g.upstream.Address, g.own.Load().Current.Fingerprint(), g.name)
	if group != "" {
		x, err := g.groups.get(group)
		if err != nil {
			return Invitation{}, err
		}
		i.Group, i.GroupName = x.ID, x.Name
	}
	return i, g.joins.invite(i)
}

// Withdraw ends an invitation that Invite has made.
func (g *Gateway) Withdraw(_ context.Context, i Invitation) error { return g.joins.withdraw(i.Auth) }

// Accept follows somebody's invitation: it asks them for their key, takes it if it is
// the one that the invitation names, and introduces the user, all by mails that Run
// sends and receives. Joins tells how far that has come. Following an invitation once
// more begins anew, unless it has come to its end. Errors wrap ErrInvitation if the
// text is at fault.
func (g *Gateway) Accept(_ context.Context, link string) (Join, error) {
	i, err := ParseInvitation(link)
	if err != nil {
		return Join{}, err
	}
	return g.joins.accept(i)
}

// AwaitJoin waits until what Accept has begun comes to its end, or ctx ends, and returns
// how far it is then. Run must be at work meanwhile.
func (g *Gateway) AwaitJoin(ctx context.Context, x Join) Join { return g.joins.await(ctx, x) }

// Joins returns the invitations of the last week that the user has followed, the
// oldest first.
func (g *Gateway) Joins() ([]Join, error) { return g.joins.list() }
