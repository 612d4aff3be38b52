// JupyterLab's side: a card in the Launcher for each template; a click opens a copy of it.
// Written by hand as the container that JupyterLab expects of a prebuilt extension: no build step.
(() => {
  'use strict';
  const CATEGORY = 'tapebook reports';
  const SVG =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24"><g fill="none" stroke-width="2">' +
    '<path class="jp-icon3" stroke="#616161" d="M4 3v18h17"/>' +
    '<path stroke="#0072B2" stroke-linejoin="round" d="M6 16l4-5 4 3 6-8"/></g></svg>';
  let scope;

  // The newest copy of a module that JupyterLab shares with its extensions.
  const shared = async name => {
    const known = scope[name];
    if (!known) throw new Error(`tapebook: JupyterLab does not share ${name}`);
    const [newest] = Object.keys(known).sort((a, b) => b.localeCompare(a, undefined, { numeric: true }));
    return (await known[newest].get())();
  };

  const plugin = (ILauncher, ICommandPalette, ServerConnection, showErrorMessage, LabIcon) => ({
    id: 'tapebook:templates',
    autoStart: true,
    requires: [ILauncher],
    optional: [ICommandPalette],
    activate: async (app, launcher, palette) => {
      const settings = app.serviceManager.serverSettings;
      const ask = async (path, init = {}) => {
        const reply = await ServerConnection.makeRequest(`${settings.baseUrl}tapebook/${path}`, init, settings);
        const said = await reply.json().catch(() => ({}));
        if (!reply.ok) throw new Error(said.reason || said.message || reply.statusText);
        return said;
      };
      const icon = new LabIcon({ name: 'tapebook:report', svgstr: SVG });
      const open = async (name, args) => {
        const body = JSON.stringify({ folder: (args && args.cwd) || '' });
        const { path } = await ask(`templates/${name}`, { method: 'POST', body });
        return app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
      };
      const known = new Map();
      const add = (template, rank) => {
        const command = `tapebook:open-${template.name}`;
        app.commands.addCommand(command, {
          label: template.name.replaceAll('_', ' '),
          caption: template.title,
          icon,
          isEnabled: () => !template.broken,
          execute: args => open(template.name, args).catch(e => showErrorMessage('Cannot open the template', e))
        });
        launcher.add({ command, category: CATEGORY, rank });
        if (palette) palette.addItem({ command, category: CATEGORY });
        known.set(template.name, template);
      };
      // Templates that were written since come in when the page is looked at again.
      const refresh = async () => {
        const found = await ask('templates');
        found.forEach((template, rank) => known.has(template.name) || add(template, rank));
      };
      document.addEventListener('visibilitychange', () => document.hidden || refresh().catch(console.warn));
      window.addEventListener('focus', () => refresh().catch(console.warn));
      await refresh().catch(e => console.warn('tapebook: the server does not list templates', e));
    }
  });

  const extension = async () => {
    const names = ['launcher', 'apputils', 'services', 'ui-components'].map(name => `@jupyterlab/${name}`);
    const [launcher, apputils, services, ui] = await Promise.all(names.map(shared));
    const made = plugin(
      launcher.ILauncher, apputils.ICommandPalette, services.ServerConnection, apputils.showErrorMessage, ui.LabIcon
    );
    return () => ({ __esModule: true, default: made });
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.tapebook = {
    init: given => { scope = given; },
    get: async name => {
      if (name !== './extension') throw new Error(`tapebook: there is no module ${name}`);
      return extension();
    }
  };
})();
