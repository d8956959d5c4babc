def skills_for(config,cwd): return []
