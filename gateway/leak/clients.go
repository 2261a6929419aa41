package leak

// What to do where a client has no setting.
const (
	onlyDisk     = "it keeps all mail and has no setting against it: encrypt the disk, "
	thunderbirds = "Account Settings, Synchronization & Storage: untick 'Keep messages in all folders for this account on this computer'; " +
		"Settings, General, Indexing: untick 'Enable Global Search and Indexer'; then delete the files"
)

// thunderbird is where it keeps its profiles below base.
func thunderbird(bases ...string) Client {
	c := Client{Name: "Thunderbird", Advice: thunderbirds}
	for _, b := range bases {
		for _, kind := range []string{"ImapMail", "Mail", "global-messages-db.sqlite*", "storage"} {
			c.Places = append(c.Places, b+"/*/"+kind)
		}
	}
	return c
}

// Clients returns the mail clients that we know of on an operating system.
func Clients(goos string) []Client {
	switch goos {
	case "darwin":
		return []Client{
			thunderbird("Library/Thunderbird/Profiles"),
			{"Apple Mail", []string{"Library/Mail", "Library/Containers/com.apple.mail/Data/Library/Mail*"}, onlyDisk + "with FileVault"},
			{"Outlook", []string{"Library/Group Containers/*.Office/Outlook"}, onlyDisk + "with FileVault"},
			mutt(),
		}
	case "windows":
		return []Client{
			thunderbird("AppData/Roaming/Thunderbird/Profiles", "AppData/Local/Thunderbird/Profiles"),
			{"Outlook", []string{"AppData/Local/Microsoft/Outlook", "Documents/Outlook Files"}, onlyDisk + "with BitLocker"},
			{"Windows Mail", []string{"AppData/Local/Comms", "AppData/Local/Packages/microsoft.windowscommunicationsapps_*/LocalState"}, onlyDisk + "with BitLocker"},
		}
	}
	return []Client{
		thunderbird(".thunderbird", ".local/share/thunderbird", "snap/thunderbird/common/.thunderbird", ".var/app/org.mozilla.Thunderbird/.thunderbird"),
		mutt(),
		{"Evolution", []string{".cache/evolution/mail", ".local/share/evolution/mail"},
			"account properties, Receiving Options: untick 'Automatically synchronize remote mail locally'; then delete the folder"},
		{"Geary", []string{".local/share/geary", ".var/app/org.gnome.Geary/data/geary"}, onlyDisk + "with LUKS"},
		{"KMail", []string{".local/share/akonadi*", ".local/share/local-mail"}, "account, Advanced: untick 'Download all messages for offline use'"},
		{"Claws Mail", []string{".claws-mail/imapcache"}, "folder properties: untick 'Synchronise for offline use'; then delete the folder"},
		{"mbsync, offlineimap", []string{"Maildir", "Mail", ".mail"}, "these copy all mail to the disk: point them at an encrypted folder"},
	}
}

func mutt() Client {
	return Client{"mutt, neomutt", []string{".cache/mutt*", ".cache/neomutt*", ".mutt/cache*", ".config/mutt/cache*", ".config/neomutt/cache*"},
		"unset message_cachedir and header_cache in the configuration; then delete the folder"}
}
