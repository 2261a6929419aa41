package imapd

import (
	"cmp"
	"slices"
	"strings"

	"github.com/restante/restante/mailbox"
)

// node is a name of the hierarchy: a mailbox, a subscription, or a level above
// one that is neither.
type node struct {
	mailbox.Folder      // ID is 0 if there is no such mailbox
	children       bool // there are mailboxes below it
	below          bool // some name below it is among those looked for
	hidden         bool // and one of them is not listed itself
	place          int  // in the order of the folders, of itself or the first below it
}

// growTree adds the levels above the folders, which need not exist, each before
// what is below it. meets says which folders are looked for, and matches which names
// are listed if they are.
func growTree(folders []mailbox.Folder, meets func(*mailbox.Folder) bool, matches func(string) bool) []*node {
	nodes := make([]*node, 0, len(folders))
	byName := make(map[string]*node, len(folders))
	add := func(f mailbox.Folder, place int) *node {
		n := &node{Folder: f, place: place}
		nodes = append(nodes, n)
		byName[f.Name] = n
		return n
	}
	for i, f := range folders {
		add(f, i)
	}
	for i := range folders {
		f := &folders[i]
		looked := meets(f)
		hidden := looked && !matches(f.Name)
		for parent := range parents(f.Name) {
			n := byName[parent]
			if n == nil {
				n = add(mailbox.Folder{Name: parent}, i)
			}
			n.children = n.children || f.ID != 0
			n.below = n.below || looked
			n.hidden = n.hidden || hidden
		}
	}
	slices.SortFunc(nodes, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(len(a.Name), len(b.Name)))
	})
	return nodes
}

// parents gives the names above name, the longest first.
func parents(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			i := strings.LastIndex(name, delimiter)
			if i < 0 {
				return
			}
			name = name[:i]
			if !yield(name) {
				return
			}
		}
	}
}
