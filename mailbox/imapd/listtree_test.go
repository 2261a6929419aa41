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
		Name                    string
		Children, Below, Hidden bool
	}
	var got []line
	for _, n := range growTree(folders, subscribed, inC) {
		got = append(got, line{n.Name, n.children, n.below, n.hidden})
	}
	want := []line{
		{Name: "INBOX", Children: true},
		{Name: "a", Children: true, Below: true, Hidden: true},
		{Name: "a/b", Children: true, Below: true},
		{Name: "a/b/c"},
		{Name: "a/d"},
		{Name: "INBOX/e"},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

func subscribed(f *mailbox.Folder) bool { return f.Subscribed }

func inC(name string) bool { return strings.HasSuffix(name, "c") }

// Every level has a node, in an order in which parents come first, and knows what
// is below it.
func TestGrowTreeOfRandomNames(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		folders := randomFolders(r)
		place := map[string]int{}
		tree := growTree(folders, subscribed, inC)
		for i, n := range tree {
			if _, twice := place[n.Name]; twice {
				t.Fatalf("%q is there twice", n.Name)
			}
			place[n.Name] = i
		}
		for _, n := range tree {
			var children, below, hidden bool
			for _, f := range folders {
				inside := strings.HasPrefix(f.Name, n.Name+"/")
				children = children || inside && f.ID != 0
				below = below || inside && f.Subscribed
				hidden = hidden || inside && f.Subscribed && !inC(f.Name)
			}
			if n.children != children || n.below != below || n.hidden != hidden {
				t.Fatalf("%q of %v: children %v, below %v, hidden %v; want %v, %v, %v",
					n.Name, folders, n.children, n.below, n.hidden, children, below, hidden)
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
