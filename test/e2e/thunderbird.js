// What the tests do inside Thunderbird. Each action is run by its name, with
// arguments that are JSON, in the program's own scope ("chrome context"); what it
// returns goes back as JSON. Actions press the buttons of the windows where there
// are buttons, and call what is behind a dialog where the dialog only asks.

const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const openpgp = name => ChromeUtils.importESModule(`chrome://openpgp/content/modules/${name}.sys.mjs`);
const mainWindow = () => Services.wm.getMostRecentWindow("mail:3pane");
const mailTab = () => mainWindow().document.getElementById("tabmail").currentAbout3Pane;
const messageWindow = () => mailTab().messageBrowser.contentWindow;
const composeWindow = () => Services.wm.getMostRecentWindow("msgcompose");
// rowOf returns where the list shows the newest message of an author, -1 for none.
const rowOf = author => {
  const view = mailTab().gDBView;
  const rows = [...Array(view?.rowCount ?? 0).keys()].filter(row => view.getMsgHdrAt(row).author.includes(author));
  return rows.sort((a, b) => view.getKeyAt(b) - view.getKeyAt(a))[0] ?? -1;
};
const server = () => MailServices.accounts.defaultAccount.incomingServer;

const actions = {
  // trust adds an authority, given as base64 of DER, that may certify servers.
  trust(authority) {
    const certs = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
    certs.addCertFromBase64(authority, "CT,C,C");
  },

  // setUp makes the account as the account assistant does, with servers that it must
  // find by the autoconfig of the address's domain, and proves them by a login.
  async setUp(address, password) {
    const load = name => ChromeUtils.importESModule(`resource:///modules/accountcreation/${name}.sys.mjs`)[name];
    const domain = address.split("@")[1];
    const { signal } = new AbortController();
    const config = await load("FetchConfig").fromISP(domain, address, signal);
    load("AccountConfig").replaceVariables(config, "Alice", address, password);
    config.rememberPassword = true;
    if (load("CreateInBackend").checkIncomingServerAlreadyExists(config)) {
      return;
    }
    const verifier = new (load("ConfigVerifier"))(mainWindow().msgWindow, signal);
    await verifier.verifyConfig(config, false);
    await load("CreateInBackend").createAccountInBackend(config);
  },

  // makeKey makes an OpenPGP key, takes it for the identity of the account, and
  // returns its public half in armor.
  async makeKey() {
    const { RNP } = openpgp("RNP");
    const identity = MailServices.accounts.defaultAccount.defaultIdentity;
    await openpgp("core").EnigmailCore.init();
    const secret = await openpgp("masterpass").OpenPGPMasterpass.retrieveOpenPGPPassword();
    const id = await RNP.genKey(`${identity.fullName} <${identity.email}>`, "ECC", 0, 0, secret);
    await RNP.saveKeyRings();
    await openpgp("sqliteDb").PgpSqliteDb2.acceptAsPersonalKey(id);
    openpgp("keyRing").EnigmailKeyRing.clearCache();
    identity.setUnicharAttribute("openpgp_key_id", id);
    return RNP.getPublicKey(`0x${id}`);
  },

  // takeKey imports a secret key, takes it for the identity of the account, and
  // returns what went wrong.
  async takeKey(armored) {
    const { RNP } = openpgp("RNP");
    const { EnigmailKeyRing } = openpgp("keyRing");
    await openpgp("core").EnigmailCore.init();
    const result = await RNP.importSecKeyBlockImpl(mainWindow(), () => "", false, armored);
    if (result.exitCode != 0) {
      return result.errorMsg;
    }
    EnigmailKeyRing.clearCache();
    const key = EnigmailKeyRing.getKeyById(result.importedKeys[0]);
    await openpgp("sqliteDb").PgpSqliteDb2.acceptAsPersonalKey(key.fpr);
    MailServices.accounts.defaultAccount.defaultIdentity.setUnicharAttribute("openpgp_key_id", key.keyId);
    return "";
  },

  // acceptKey imports the public key of a correspondent as verified, and returns
  // what went wrong.
  async acceptKey(armored) {
    const result = await openpgp("RNP").RNP.importPubkeyBlockAutoAcceptImpl(null, armored, "verified");
    openpgp("keyRing").EnigmailKeyRing.clearCache();
    return result.exitCode == 0 ? "" : result.errorMsg;
  },

  // discover begins what "Discover keys online" does for an address. It opens dialogs,
  // which answerKeyDialog answers; discovered tells how it ended.
  discover(address) {
    const window = mainWindow();
    window.discovery = null;
    openpgp("keyLookupHelper").KeyLookupHelper
      .lookupAndImportByEmail("interactive-import", window, address, true)
      .then(found => (window.discovery = found ? "imported" : "nothing found"), fault => (window.discovery = String(fault)));
  },

  discovered() {
    return mainWindow().discovery;
  },

  // answerKeyDialog accepts a key that is shown, without having compared fingerprints,
  // and closes what tells of its import.
  answerKeyDialog() {
    for (const window of Services.wm.getEnumerator(null)) {
      const dialog = window.document.querySelector("dialog");
      if (/\/(confirmPubkeyImport|enigmailKeyImportInfo|keyImportInfo)\.xhtml$/i.test(window.location.href) && dialog && window.document.readyState == "complete") {
        window.document.getElementById("acceptUnverified")?.click();
        dialog.acceptDialog();
      }
    }
  },

  // folders returns how many messages each folder has, by the folder's name.
  folders() {
    return Object.fromEntries(server().rootFolder.subFolders.map(f => [f.name, f.getTotalMessages(false)]));
  },

  openInbox() {
    mailTab().displayFolder(server().rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox).URI);
  },

  // lists returns whether there is one.
  lists(author) {
    return rowOf(author) >= 0;
  },

  // open opens it.
  open(author) {
    mailTab().threadTree.selectedIndex = rowOf(author);
  },

  // shown returns the opened message as its reader sees it.
  shown() {
    const header = messageWindow().document;
    const icon = id => header.getElementById(id)?.src?.replace(/.*\//, "") ?? "";
    return {
      text: header.getElementById("messagepane").contentDocument?.body?.textContent ?? "",
      encryption: icon("encryptedHdrIcon"),
      signature: icon("signedHdrIcon"),
    };
  },

  reply() {
    ["hdrReplyButton", "hdrReplyToSenderButton"]
      .map(id => messageWindow().document.getElementById(id))
      .find(button => button && !button.hidden)
      .click();
  },

  // compose opens the window for a new message.
  compose(to, subject, body) {
    const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
    Object.assign(fields, { to, subject, body });
    const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
    params.composeFields = fields;
    params.type = Ci.nsIMsgCompType.New;
    params.format = Ci.nsIMsgCompFormat.PlainText;
    params.identity = MailServices.accounts.defaultAccount.defaultIdentity;
    MailServices.compose.OpenComposeWindowWithParams(null, params);
  },

  // composing returns what the window for a message is about to do, or null if
  // there is none that takes input.
  composing() {
    const window = composeWindow();
    if (!window?.composeEditorReady || window.gWindowLocked) {
      return null;
    }
    return { encrypt: window.gSendEncrypted, sign: window.gSendSigned };
  },

  // composeWindows returns how many windows there are for messages.
  composeWindows() {
    return [...Services.wm.getEnumerator("msgcompose")].length;
  },

  // type puts a text before what is there.
  type(text) {
    const editor = composeWindow().GetCurrentEditor();
    editor.beginningOfDocument();
    editor.insertText(text);
  },

  press(button) {
    composeWindow().document.getElementById(button).click();
  },

  // closeAlert closes a message box, which is a window or lies over one, and
  // returns its text, or "" if none is open.
  closeAlert() {
    const isBox = window => window?.location.href.endsWith("/commonDialog.xhtml");
    for (const window of Services.wm.getEnumerator(null)) {
      const box = [window, window.gDialogBox?.dialog?.frameContentWindow].find(isBox);
      const text = box?.document.getElementById("infoBody")?.textContent;
      if (text) {
        box.document.querySelector("dialog").acceptDialog();
        return text;
      }
    }
    return "";
  },
};
