package imapd

import (
	"slices"
	"strings"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// REFERENCES makes threads of what messages say they answer. The steps are numbered
// as in RFC 5256, 3.

// referenced is a message with what REFERENCES looks at besides.
type referenced struct {
	threaded
	id   string   // "" for none
	refs []string // what it answers, the oldest first
}

// post is a place in a thread: of a message, or of one that others refer to and that
// is not there. Then m is nil.
type post struct {
	m       *referenced
	parent  *post
	answers []*post
}

// byReferences puts each message behind the one that it answers.
func (c *conn) byReferences(f *found) ([]wire.ThreadNode, error) {
	var list []referenced
	err := c.eachInfo(f.hits, func(h hit, i *mailbox.Info) { list = append(list, newReferenced(h, i)) })
	roots := sortPosts(prune(linkPosts(list)))
	return nodesOf(sortPosts(joinSubjects(roots)), f), err
}

func newReferenced(h hit, i *mailbox.Info) referenced {
	m := referenced{threaded: newThreaded(h, i)}
	if ids := messageIDs(i.Envelope.MessageID); len(ids) > 0 {
		m.id = ids[0]
	}
	for _, field := range i.Kept {
		if field.Is("References") {
			m.refs = append(m.refs, messageIDs(field.Value())...)
		}
	}
	if len(m.refs) == 0 {
		m.refs = messageIDs(i.Envelope.InReplyTo)
		m.refs = m.refs[:min(1, len(m.refs))]
	}
	return m
}

// messageIDs returns the message identifiers in a field, in the one form by which
// they are compared: without quotes.
func messageIDs(field string) []string {
	var ids []string
	for {
		_, rest, ok := strings.Cut(field, "<")
		if !ok {
			return ids
		}
		id, rest, ok := strings.Cut(rest, ">")
		if !ok {
			return ids
		}
		if strings.Contains(id, "@") && !strings.ContainsAny(id, " \t<") {
			ids = append(ids, unquoteID.Replace(id))
		}
		field = rest
	}
}

var unquoteID = strings.NewReplacer(`"`, "", `\`, "")

// linkPosts gives each message a place, and each place its parent (1). It returns
// the places in the order in which they came up.
func linkPosts(list []referenced) []*post {
	var all []*post
	byID := map[string]*post{}
	at := func(id string) *post {
		p := byID[id]
		if p == nil {
			p = &post{}
			byID[id] = p
			all = append(all, p)
		}
		return p
	}
	hasChild := map[*post]bool{}
	link := func(parent, child *post) {
		if hasChild[child] && parent.isBelow(child) {
			return
		}
		child.parent, hasChild[parent] = parent, true
	}
	for i := range list {
		m := &list[i]
		var last *post
		for _, ref := range m.refs { // (1)(A)
			p := at(ref)
			if last != nil && p.parent == nil && p != last {
				link(last, p)
			}
			last = p
		}
		p := &post{}
		if m.id != "" && at(m.id).m == nil {
			p = at(m.id)
		} else { // a second message of that identity is one of its own
			all = append(all, p)
		}
		p.m, p.parent = m, nil
		if last != nil && last != p { // (1)(B)
			link(last, p)
		}
	}
	return all
}

// isBelow reports whether p is q, or answers it over however many steps.
func (p *post) isBelow(q *post) bool {
	for ; p != nil; p = p.parent {
		if p == q {
			return true
		}
	}
	return false
}

// prune returns the places without a parent (2), and takes out those of messages
// that are not there (3), except for roots that hold several answers together.
func prune(all []*post) []*post {
	var roots, kept []*post
	for _, p := range all {
		if p.parent == nil {
			roots = append(roots, p)
		} else {
			p.parent.answers = append(p.parent.answers, p)
		}
	}
	for _, p := range roots {
		p.answers = present(p.answers)
		if p.m != nil || len(p.answers) > 1 {
			kept = append(kept, p)
		} else {
			kept = append(kept, p.answers...)
		}
	}
	return kept
}

// present returns the places of messages, each missing one replaced by its answers.
func present(list []*post) []*post {
	var kept []*post
	for _, p := range list {
		p.answers = present(p.answers)
		if p.m != nil {
			kept = append(kept, p)
		} else {
			kept = append(kept, p.answers...)
		}
	}
	return kept
}

// first returns the message by which a place is sorted and whose subject it has:
// its own, or that of its first answer.
func (p *post) first() *referenced {
	if p.m != nil {
		return p.m
	}
	return p.answers[0].m
}

// sortPosts sorts places by the time at which their messages were sent, and the
// answers of each (4), (6).
func sortPosts(list []*post) []*post {
	for _, p := range list {
		sortPosts(p.answers)
	}
	slices.SortFunc(list, func(a, b *post) int { return a.first().compare(&b.first().threaded) })
	return list
}

// joinSubjects puts roots of the same base subject together (5).
func joinSubjects(roots []*post) []*post {
	places := map[string]int{} // of the root that speaks for a subject
	for i, p := range roots {  // (5)(B)
		subject := p.first().subject
		j, ok := places[subject]
		if subject != "" && (!ok || p.speaksBefore(roots[j])) {
			places[subject] = i
		}
	}
	joined := slices.Clone(roots)
	for i, p := range roots { // (5)(C)
		j, ok := places[p.first().subject]
		if ok && i != j {
			joined[j], joined[i] = joined[j].join(p), nil
		}
	}
	return slices.DeleteFunc(joined, func(p *post) bool { return p == nil })
}

// speaksBefore reports whether p rather than q speaks for the subject they share:
// what is missing before what is there, and what begins before what replies.
func (p *post) speaksBefore(q *post) bool { return p.rank() < q.rank() }

func (p *post) rank() int {
	switch {
	case p.m == nil:
		return 0
	case !p.m.reply:
		return 1
	}
	return 2
}

// join returns the root that holds both q and p, which speaks for their subject.
func (p *post) join(q *post) *post {
	switch {
	case p.m == nil && q.m == nil:
		p.answers = append(p.answers, q.answers...)
	case p.m == nil, q.m != nil && q.m.reply && !p.m.reply:
		p.answers = append(p.answers, q)
	default:
		return &post{answers: []*post{p, q}}
	}
	return p
}

// nodesOf numbers the messages as the client asked for.
func nodesOf(list []*post, f *found) []wire.ThreadNode {
	nodes := make([]wire.ThreadNode, len(list))
	for i, p := range list {
		nodes[i].Children = nodesOf(p.answers, f)
		if p.m != nil {
			nodes[i].Number = f.number(p.m.hit)
		}
	}
	return nodes
}
