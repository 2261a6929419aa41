package imapd

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

func TestGrowTree(t *testing.T) {
	t.Parallel()
	folders := []mailbox.Folder{
		{Name: "INBOX", ID: 1},
		{Name: "a/b/c", ID: 2, Subscribed: true},
		{Name: "a/d", Subscribed: true},
		{Name: "INBOX/e", ID: 3},
	}
	type line struct {
		Name            string
		Children, Below bool
	}
	var got []line
	for _, n := range growTree(folders, func(f *mailbox.Folder) bool { return f.Subscribed }) {
		got = append(got, line{n.Name, n.children, n.below})
	}
	want := []line{
		{"INBOX", true, false}, {"a", true, true}, {"a/b", true, true}, {"a/b/c", false, false}, {"a/d", false, false}, {"INBOX/e", false, false},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

// Every level has a node, in an order in which parents come first, and knows what
// is below it.
func TestGrowTreeOfRandomNames(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		folders := randomFolders(r)
		place := map[string]int{}
		tree := growTree(folders, func(f *mailbox.Folder) bool { return f.Subscribed })
		for i, n := range tree {
			if _, twice := place[n.Name]; twice {
				t.Fatalf("%q is there twice", n.Name)
			}
			place[n.Name] = i
		}
		for _, n := range tree {
			var children, below bool
			for _, f := range folders {
				inside := strings.HasPrefix(f.Name, n.Name+"/")
				children = children || inside && f.ID != 0
				below = below || inside && f.Subscribed
			}
			if n.children != children || n.below != below {
				t.Fatalf("%q of %v: children %v, below %v; want %v, %v", n.Name, folders, n.children, n.below, children, below)
			}
			for parent := range parents(n.Name) {
				if at, ok := place[parent]; !ok || at > place[n.Name] {
					t.Fatalf("%q comes at %d, after %q", parent, at, n.Name)
				}
			}
		}
	}
}

func randomFolders(r *rand.Rand) []mailbox.Folder {
	names := map[string]bool{}
	for range r.IntN(8) {
		name := string('a' + rune(r.IntN(3)))
		for range r.IntN(4) {
			name += "/" + string('a'+rune(r.IntN(3)))
		}
		names[name] = true
	}
	var folders []mailbox.Folder
	for name := range names {
		folders = append(folders, mailbox.Folder{Name: name, ID: mailbox.MailboxID(r.IntN(2)), Subscribed: r.IntN(2) == 0})
	}
	sortFolders(folders)
	return folders
}

// sortFolders brings folders into the order of Session.Folders.
func sortFolders(folders []mailbox.Folder) {
	slices.SortFunc(folders, func(a, b mailbox.Folder) int {
		return strings.Compare(strings.ReplaceAll(a.Name, "/", "\x00"), strings.ReplaceAll(b.Name, "/", "\x00"))
	})
}
